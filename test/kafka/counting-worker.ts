import { errorCodeOf } from '../../src/errors.ts'
import type {
  GroupMember,
  KafkaCluster,
  ProducedRecord,
  TransactionalProducer,
} from '../../src/runtime/ports.ts'
import type { ContractScene } from '../contract/cluster-world.ts'

interface CountingWorkerOptions {
  readonly cluster: KafkaCluster
  readonly producer: TransactionalProducer
  readonly member: GroupMember
  readonly topic: string
  readonly groupId: string
  readonly partitions: number
}

/**
 * Writes the numbers from 0 on, one to each partition in each transaction, and commits how far it is with them. After
 * an error it does what the error's recovery says and nothing else. So every number is there once, in order, or
 * something is wrong.
 */
export class CountingWorker {
  readonly #options: CountingWorkerOptions
  /** Errors that were met, by code. */
  readonly errors = new Map<string, number>()
  /** The next number: all before have been committed. */
  next = 0

  private constructor(options: CountingWorkerOptions) {
    this.#options = options
  }

  /** One for the topic of the scene, initialised and in its group. */
  static async open(
    scene: ContractScene,
    times: { readonly transactionTimeoutMs: number; readonly sessionTimeoutMs?: number },
  ): Promise<CountingWorker> {
    const { transactionTimeoutMs, sessionTimeoutMs = 20_000 } = times
    const cluster = scene.connect()
    const transactionalId = `${scene.topic}-worker`
    const worker = new CountingWorker({
      cluster,
      producer: cluster.createProducer({ transactionalId, transactionTimeoutMs }),
      member: scene.member({ sessionTimeoutMs, rebalanceTimeoutMs: sessionTimeoutMs }),
      topic: scene.topic,
      groupId: scene.groupId,
      partitions: 3,
    })
    await worker.#options.producer.init()
    await worker.#join()
    return worker
  }

  async cycle(): Promise<void> {
    try {
      await this.#transaction()
      this.next += 1
    } catch (error) {
      await this.#recover(error)
    }
  }

  async #transaction(): Promise<void> {
    const { producer, member, partitions } = this.#options
    if (member.status === 'rebalancing' || member.status === 'lost') await this.#join()
    const records = Array.from({ length: partitions }, (_, partition) => this.#record(partition))
    // Two sends, so that a fault can lie between two batches of one transaction.
    await producer.send(records)
    await producer.send(records.slice(0, 1))
    const offset = {
      topic: this.#options.topic,
      partition: 0,
      offset: this.next + 1,
      metadata: `test:${this.next}`,
    }
    await producer.addOffsets([offset], member.generation!)
    await producer.commit()
  }

  #record(partition: number): ProducedRecord {
    const value = Buffer.from(String(this.next))
    return { topic: this.#options.topic, partition, key: null, value, headers: [], timestampMs: 1 }
  }

  async #recover(error: unknown): Promise<void> {
    const code = errorCodeOf(error) ?? 'FOREIGN'
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
    if (code === 'TRANSACTION_FENCED' || code === 'COMMIT_OUTCOME_UNKNOWN') return this.#resolve()
    if (!['TRANSACTION_ABORTED', 'BROKER_UNAVAILABLE', 'GROUP_FENCED'].includes(code)) throw error
    await this.#abort()
    if (code === 'GROUP_FENCED') await this.#join()
  }

  async #abort(): Promise<void> {
    try {
      await this.#options.producer.abort()
    } catch {
      await this.#resolve()
    }
  }

  /** A new epoch decides what is open; then the stable offsets say whether we committed. */
  async #resolve(): Promise<void> {
    for (;;) {
      try {
        await this.#options.producer.init()
        const at = { topic: this.#options.topic, partition: 0 }
        const offsets = await this.#options.cluster.admin.committedOffsets(this.#options.groupId, [
          at,
        ])
        this.next = offsets.get(`${at.topic}/0`)?.offset ?? 0
        return
      } catch (error) {
        if (errorCodeOf(error) !== 'BROKER_UNAVAILABLE') throw error
      }
    }
  }

  async #join(): Promise<void> {
    await this.#options.member.join(Buffer.alloc(0), new AbortController().signal)
  }
}
