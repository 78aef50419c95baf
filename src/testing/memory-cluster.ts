import type {
  ClusterAdmin,
  CommittedRecordsFetcher,
  FetcherOptions,
  GroupMember,
  GroupMemberOptions,
  IdempotentProducer,
  KafkaCluster,
  ProducerOptions,
  TransactionalProducer,
} from '../runtime/ports.ts'
import { MemoryAdmin } from './memory-admin.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { MemoryFetcher } from './memory-fetcher.ts'
import { MemoryIdempotentProducer } from './memory-idempotent-producer.ts'
import { MemoryMember } from './memory-member.ts'
import { MemoryProducer } from './memory-producer.ts'
import type { Connection } from './retries.ts'

/** One process's door to the broker in memory. */
export class MemoryCluster implements KafkaCluster {
  readonly admin: ClusterAdmin
  readonly #broker: MemoryBroker
  readonly #connection: Connection
  readonly #open: AsyncDisposable[] = []

  constructor(broker: MemoryBroker, connection: Connection) {
    this.#broker = broker
    this.#connection = connection
    this.admin = new MemoryAdmin(broker, connection)
  }

  createFetcher(options: FetcherOptions): CommittedRecordsFetcher {
    return this.#opened(new MemoryFetcher(this.#broker, this.#connection, options))
  }

  createProducer(options: ProducerOptions): TransactionalProducer {
    return this.#opened(new MemoryProducer(this.#broker, this.#connection, options))
  }

  createIdempotentProducer(options: ProducerOptions): IdempotentProducer {
    return this.#opened(new MemoryIdempotentProducer(this.#broker, this.#connection, options))
  }

  createMember(options: GroupMemberOptions): GroupMember {
    return this.#opened(new MemoryMember(this.#broker, this.#connection, options))
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map(part => part[Symbol.asyncDispose]()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #opened<Part extends AsyncDisposable>(part: Part): Part {
    this.#open.push(part)
    return part
  }
}
