import { StreamsError } from '../errors.ts'
import {
  type GatheredRecords,
  type GroupGeneration,
  type IdempotentProducer,
  type OffsetToCommit,
  partitionKey,
  type ProducedRange,
  type ProducedRecord,
  type ProducerOptions,
} from '../runtime/ports.ts'
import { RecordList } from '../runtime/record-list.ts'
import type { RequestName } from './fault-injector.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { sizeOf } from './partition-log.ts'
import { type Connection, immediately, pause, throwIfLate, valuesOf } from './retries.ts'
import { concurrent } from './transaction-coordinator.ts'

type Status = 'created' | 'ready' | 'failed' | 'closed'

/** A producer without transactions on the broker in memory. What it gave up may still be written, later, where it has written nothing since. */
export class MemoryIdempotentProducer implements IdempotentProducer {
  readonly #broker: MemoryBroker
  readonly #connection: Connection
  readonly #options: ProducerOptions
  readonly #sequences = new Map<string, number>()
  #status: Status = 'created'
  #producerId = -1
  #epoch = -1
  #busy = false
  #hasEndedTransactions = false

  constructor(broker: MemoryBroker, connection: Connection, options: ProducerOptions) {
    this.#broker = broker
    this.#connection = connection
    this.#options = options
  }

  init(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    const { transactions } = this.#broker
    return this.#alone('init', ['created', 'ready', 'failed'], async () => {
      if (!this.#hasEndedTransactions)
        await this.#untilDone(
          'init-producer',
          `transaction ${transactionalId}`,
          'ends what is open',
          () => transactions.init(transactionalId, transactionTimeoutMs),
        )
      this.#hasEndedTransactions = true
      this.#epoch += 1
      if (this.#producerId < 0)
        this.#producerId = await this.#untilDone('init-producer', 'cluster', 'a producer id', () =>
          transactions.newProducerId(),
        )
      this.#sequences.clear()
      if (this.#status !== 'closed') this.#status = 'ready'
    })
  }

  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    return this.#alone('send', ['ready'], async () => {
      const sent = [...Map.groupBy(records, partitionKey)].map(([key, share]) =>
        this.#produceBatches(key, share),
      )
      // Nobody may hear of a failure while parts of the send are still under way.
      return valuesOf(await Promise.allSettled(sent))
    })
  }

  gather(): RecordList {
    return new RecordList()
  }

  sendGathered(gathered: GatheredRecords): Promise<readonly ProducedRange[]> {
    return this.send((gathered as RecordList).records)
  }

  commitOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    return this.#alone('commitOffsets', ['ready'], async () => {
      if (offsets.length === 0) return
      const group = this.#broker.group(generation.groupId)
      const detail = offsets.map(at => `${partitionKey(at)}=${at.offset}`).join(' ')
      await this.#untilDone('commit-offsets', group.offsets.name, detail, () => {
        group.checkGeneration(generation)
        group.offsets.set(offsets)
        return true
      })
    })
  }

  close(): Promise<void> {
    this.#status = 'closed'
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Now and then in two batches, one behind the other, as those are that are too large for one. */
  async #produceBatches(key: string, records: readonly ProducedRecord[]): Promise<ProducedRange> {
    const { random } = this.#connection.network
    const cut = random.next() < 0.3 ? Math.floor(random.next() * records.length) : 0
    const first = cut > 0 ? await this.#produce(key, records.slice(0, cut)) : undefined
    const last = await this.#produce(key, records.slice(cut))
    return { ...last, firstOffset: first?.firstOffset ?? last.firstOffset }
  }

  #produce(key: string, records: readonly ProducedRecord[]): Promise<ProducedRange> {
    const at = records[0]!
    const sequence = this.#sequences.get(key) ?? 0
    this.#sequences.set(key, sequence + 1)
    const origin = { producerId: this.#producerId, epoch: this.#epoch, sequence }
    return this.#untilDone('produce', key, `${records.length} records`, () => {
      const bytesMax = this.#broker.recordBytesMax(at.topic)
      const log = this.#broker.log(at)
      const tooLarge = records.find(record => sizeOf(record) > bytesMax)
      if (tooLarge !== undefined) {
        const text = `a record of ${sizeOf(tooLarge)} bytes for ${at.topic}, which takes ${bytesMax}`
        throw new StreamsError('RECORD_TOO_LARGE', text)
      }
      return log.appendIdempotent(records, this.#broker.appendTimeMs(at.topic), origin)
    })
  }

  /**
   * Sends a request until it is executed, and no longer than a call may last. A lost reply is asked for again, which the
   * broker recognises; now and then it is not, as by a client that lost its connection in the middle.
   */
  async #untilDone<T>(
    name: Extract<RequestName, 'init-producer' | 'produce' | 'commit-offsets'>,
    target: string,
    detail: string,
    decide: () => T | typeof concurrent,
  ): Promise<T> {
    const { network, process, requestTimeoutMs } = this.#connection
    const deadlineMs = process.clock.monotonicMs() + this.#options.transactionTimeoutMs
    const request = {
      name,
      target,
      detail,
      timeoutMs: requestTimeoutMs,
      execute: immediately(decide),
    }
    for (;;) {
      const reply = await network.send(process, request)
      if (reply.status === 'refused') throw reply.error
      if (reply.status === 'answered' && reply.value !== concurrent) return reply.value
      if (reply.status === 'lost' && name !== 'init-producer' && network.random.next() < 0.5)
        throw new StreamsError('BROKER_UNAVAILABLE', `the reply to ${name} ${target} was lost`)
      throwIfLate(this.#connection, request, deadlineMs)
      await pause(this.#connection)
    }
  }

  /** One call at a time, in a state that allows it; an error leaves the state from which only init and close lead on. */
  async #alone<T>(call: string, allowed: readonly Status[], act: () => Promise<T>): Promise<T> {
    if (this.#status === 'closed') throw new StreamsError('CLOSED', `${call} on a closed producer`)
    if (this.#busy || !allowed.includes(this.#status))
      throw new StreamsError(
        'INTERNAL',
        `${call} on an idempotent producer while ${this.#busy ? 'another call is under way' : this.#status}`,
      )
    this.#busy = true
    try {
      return await act()
    } catch (error) {
      if ((this.#status as Status) !== 'closed') this.#status = 'failed'
      throw error
    } finally {
      this.#busy = false
    }
  }
}
