import { StreamsError } from '../errors.ts'
import {
  type GatheredRecords,
  type GroupGeneration,
  type OffsetToCommit,
  partitionKey,
  type ProducedRange,
  type ProducedRecord,
  type ProducerOptions,
  type TopicPartition,
  type TransactionalProducer,
} from '../runtime/ports.ts'
import { RecordList } from '../runtime/record-list.ts'
import type { MemoryBroker } from './memory-broker.ts'
import { sizeOf } from './partition-log.ts'
import {
  type Connection,
  immediately,
  pause,
  requestUntilAnswered,
  throwIfLate,
  valuesOf,
} from './retries.ts'
import { concurrent, type ProducerSession } from './transaction-coordinator.ts'

/**
 * `ready`: no transaction; `open`: the broker may have one; `failed`: it must be aborted; `unknown`: a commit without
 * an answer; `fenced`: somebody else owns the id.
 */
type ProducerStatus = 'created' | 'ready' | 'open' | 'failed' | 'unknown' | 'fenced' | 'closed'

/** What every broker call of a transaction may say besides its result. */
type TransactionReply<T> = T | typeof concurrent

/** A transactional producer on the broker in memory. Sends to several partitions are requests of their own, as to several leaders. */
export class MemoryProducer implements TransactionalProducer {
  readonly #broker: MemoryBroker
  readonly #connection: Connection
  readonly #options: ProducerOptions
  readonly #target: string
  #status: ProducerStatus = 'created'
  #session: ProducerSession | undefined
  /** Number of the next batch of each partition in this epoch. */
  #sequences = new Map<string, number>()
  #busy = false

  constructor(broker: MemoryBroker, connection: Connection, options: ProducerOptions) {
    this.#broker = broker
    this.#connection = connection
    this.#options = options
    this.#target = `transaction ${options.transactionalId}`
  }

  init(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    return this.#alone(
      'init',
      ['created', 'ready', 'open', 'failed', 'unknown', 'fenced'],
      async () => {
        const session = await this.#untilDone('init-producer', this.#target, 'initialises', () =>
          this.#broker.transactions.init(transactionalId, transactionTimeoutMs),
        )
        this.#begin(session)
      },
    )
  }

  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    return this.#alone('send', ['ready', 'open'], async session => {
      if (records.length === 0) return []
      this.#status = 'open'
      const byPartition = Map.groupBy(records, partitionKey)
      const sent = [...byPartition.values()].map(batch => this.#produce(session, batch))
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

  addOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    return this.#alone('addOffsets', ['ready', 'open'], async session => {
      if (offsets.length === 0) return
      this.#status = 'open'
      const group = this.#broker.group(generation.groupId)
      const detail = offsets.map(at => `${partitionKey(at)}=${at.offset}`).join(' ')
      await this.#untilDone('commit-offsets', group.offsets.name, detail, () => {
        group.checkGeneration(generation)
        const enlisted = this.#enlist(session, group.offsets)
        if (enlisted !== concurrent) group.offsets.addPending(session.producerId, offsets)
        return enlisted
      })
    })
  }

  commit(): Promise<void> {
    return this.#alone('commit', ['ready', 'open'], async session => {
      if (this.#status !== 'open') return
      const { network, process } = this.#connection
      const deadlineMs = this.#deadlineMs()
      const request = this.#endRequest(session, true)
      for (;;) {
        const reply = await network.send(process, request)
        if (reply.status === 'answered') return this.#begin(reply.value)
        if (reply.status === 'refused') throw reply.error
        if (reply.status === 'lost') {
          const text = `nobody knows whether ${this.#target} has committed: the reply was lost`
          throw new StreamsError('COMMIT_OUTCOME_UNKNOWN', text)
        }
        throwIfLate(this.#connection, request, deadlineMs)
        await pause(this.#connection)
      }
    })
  }

  abort(): Promise<void> {
    return this.#alone('abort', ['ready', 'open', 'failed', 'unknown'], async session => {
      if (this.#status === 'ready') return
      const request = this.#endRequest(session, false)
      this.#begin(await requestUntilAnswered(this.#connection, request, this.#deadlineMs()))
    })
  }

  /** An open transaction is aborted, with one try: readers would wait for its time-out. */
  async close(): Promise<void> {
    const isOpen = this.#status === 'open' && !this.#busy
    this.#status = 'closed'
    if (!isOpen || this.#session === undefined) return
    await this.#connection.network.send(
      this.#connection.process,
      this.#endRequest(this.#session, false),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(session: ProducerSession): void {
    this.#session = session
    this.#sequences = new Map()
    if (this.#status !== 'closed') this.#status = 'ready'
  }

  #deadlineMs(): number {
    return this.#connection.process.clock.monotonicMs() + this.#options.transactionTimeoutMs
  }

  #endRequest(session: ProducerSession, committed: boolean) {
    return {
      name: 'end-transaction',
      target: this.#target,
      detail: committed ? 'commits' : 'aborts',
      timeoutMs: this.#connection.requestTimeoutMs,
      execute: immediately(() =>
        this.#broker.transactions.end(this.#options.transactionalId, session, committed),
      ),
    } as const
  }

  #enlist(
    session: ProducerSession,
    participant: Parameters<MemoryBroker['transactions']['enlist']>[2],
  ) {
    return this.#broker.transactions.enlist(this.#options.transactionalId, session, participant)
  }

  #produce(session: ProducerSession, records: readonly ProducedRecord[]): Promise<ProducedRange> {
    const at = records[0] as TopicPartition
    const key = partitionKey(at)
    const sequence = this.#sequences.get(key) ?? 0
    this.#sequences.set(key, sequence + 1)
    return this.#untilDone('produce', key, `${records.length} records`, () => {
      const bytesMax = this.#broker.recordBytesMax(at.topic)
      const log = this.#broker.log(at)
      const tooLarge = records.find(record => sizeOf(record) > bytesMax)
      if (tooLarge !== undefined) {
        const text = `a record of ${sizeOf(tooLarge)} bytes for ${at.topic}, which takes ${bytesMax}`
        throw new StreamsError('RECORD_TOO_LARGE', text)
      }
      if (this.#enlist(session, log) === concurrent) return concurrent
      const origin = { ...session, sequence }
      return log.appendTransactional(records, this.#broker.appendTimeMs(at.topic), origin)
    })
  }

  /**
   * Sends a request until it is executed, and no longer than a transaction may last. A lost reply is asked for again, which the
   * broker recognises; now and then it is not, as by a client that lost its connection in the middle: TRANSACTION_ABORTED.
   */
  async #untilDone<T>(
    name: 'init-producer' | 'produce' | 'commit-offsets',
    target: string,
    detail: string,
    decide: () => TransactionReply<T>,
  ): Promise<T> {
    const { network, process, requestTimeoutMs } = this.#connection
    const deadlineMs = this.#deadlineMs()
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
        throw new StreamsError('TRANSACTION_ABORTED', `the reply to ${name} ${target} was lost`)
      throwIfLate(this.#connection, request, deadlineMs)
      await pause(this.#connection, reply.status === 'answered' ? 20 : 100)
    }
  }

  /** One call at a time, in a state that allows it; an error leaves the state from which only abort, init and close lead on. */
  async #alone<T>(
    call: string,
    allowed: readonly ProducerStatus[],
    act: (session: ProducerSession) => Promise<T>,
  ): Promise<T> {
    if (this.#status === 'closed')
      throw new StreamsError('CLOSED', `${call} on the closed producer of ${this.#target}`)
    if (this.#status === 'fenced' && call !== 'init')
      throw new StreamsError('TRANSACTION_FENCED', `${call}: ${this.#target} was fenced before`)
    if (this.#busy || !allowed.includes(this.#status))
      throw new StreamsError(
        'INTERNAL',
        `${call} on ${this.#target} while ${this.#busy ? 'another call is under way' : this.#status}`,
      )
    this.#busy = true
    try {
      return await act(this.#session ?? { producerId: -1, epoch: -1 })
    } catch (error) {
      this.#status = this.#statusAfter(error)
      throw error
    } finally {
      this.#busy = false
    }
  }

  #statusAfter(error: unknown): ProducerStatus {
    if (this.#status === 'closed') return 'closed'
    if (!(error instanceof StreamsError)) return 'failed'
    if (error.code === 'TRANSACTION_FENCED') return 'fenced'
    return error.code === 'COMMIT_OUTCOME_UNKNOWN' ? 'unknown' : 'failed'
  }
}
