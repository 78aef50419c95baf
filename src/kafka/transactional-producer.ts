import { StreamsError, errorCodeOf } from '../errors.ts'
import type {
  GatheredRecords,
  GroupGeneration,
  OffsetToCommit,
  ProducedRange,
  ProducedRecord,
  ProducerOptions,
  TransactionalProducer,
} from '../runtime/ports.ts'
import { BatchSender } from './batch-sender.ts'
import { BrokerConnections } from './broker-connections.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import { PartitionQueues } from './partition-queue.ts'
import { Sequences } from './sequences.ts'
import { SpareBuffers } from './spare-buffers.ts'
import { TransactionRequests, noIdentity } from './transaction-requests.ts'

/**
 * `new`: only `init` helps. `failed`: the transaction can only be aborted. `fenced`: somebody else owns the id, only
 * `init` helps.
 */
type State = 'new' | 'idle' | 'open' | 'failed' | 'fenced' | 'closed'

/**
 * `TransactionalProducer` over the wire: version 2 of the protocol (KIP-890) where the cluster has finalized it, else
 * version 1.
 */
export class KafkaTransactionalProducer implements TransactionalProducer {
  readonly #options: ResolvedKafkaOptions
  readonly #producer: ProducerOptions
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections
  readonly #requests: TransactionRequests
  readonly #sender: BatchSender
  readonly #spares = new SpareBuffers()
  #state: State = 'new'
  #busy = false
  /** Monotonic end of the transaction's time: the coordinator aborts it then. */
  #deadlineMs = 0

  constructor(options: ResolvedKafkaOptions, producer: ProducerOptions) {
    this.#options = options
    this.#producer = producer
    this.#metadata = new ClusterMetadata(options)
    // An answer that does not come must be noticed early enough to ask again inside the transaction's time.
    const answerMs = Math.min(
      options.requestTimeoutMs,
      Math.ceil(producer.transactionTimeoutMs / 3),
    )
    this.#connections = new BrokerConnections(options, answerMs)
    const sequences = new Sequences()
    this.#requests = new TransactionRequests(
      options,
      producer,
      this.#metadata,
      this.#connections,
      sequences,
    )
    this.#sender = new BatchSender(options, this.#metadata, this.#connections, sequences)
  }

  init(): Promise<void> {
    return this.#exclusively(async () => {
      const deadlineMs = this.#after(
        Math.max(this.#options.requestTimeoutMs, this.#producer.transactionTimeoutMs),
      )
      await this.#requests.chooseVersion(deadlineMs)
      await this.#requests.initialize(noIdentity, deadlineMs)
      this.#state = 'idle'
    })
  }

  send(records: readonly ProducedRecord[]): Promise<readonly ProducedRange[]> {
    const gathered = this.gather()
    for (const record of records) gathered.add(record)
    return this.sendGathered(gathered)
  }

  gather(): PartitionQueues {
    return new PartitionQueues(undefined, this.#spares)
  }

  sendGathered(gathered: GatheredRecords): Promise<readonly ProducedRange[]> {
    return this.#exclusively(async () => {
      this.#mustBeUsable()
      const { queues } = gathered as PartitionQueues
      if (queues.length === 0) return []
      this.#begin()
      await this.#requests.announcePartitions(queues, this.#deadlineMs)
      const { transactionalId } = this.#producer
      const { identity, version2 } = this.#requests
      await this.#sender.send(queues, { transactionalId, version2, ...identity }, this.#deadlineMs)
      return queues.map(queue => queue.range())
    })
  }

  addOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    return this.#exclusively(async () => {
      this.#mustBeUsable()
      if (offsets.length === 0) return
      this.#begin()
      await this.#requests.commitOffsets(offsets, generation, this.#deadlineMs)
    })
  }

  commit(): Promise<void> {
    return this.#exclusively(async () => {
      this.#mustBeUsable()
      if (this.#state === 'idle') return
      await this.#requests.end(true, this.#after(this.#producer.transactionTimeoutMs))
      this.#state = 'idle'
    })
  }

  abort(): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#state === 'fenced')
        throw new StreamsError('TRANSACTION_FENCED', this.#describe('has been fenced'))
      if (this.#state !== 'open' && this.#state !== 'failed') return
      // The abort has a time of its own: the transaction's may be what ran out.
      await this.#abort(this.#after(this.#producer.transactionTimeoutMs))
      this.#state = 'idle'
    })
  }

  /** An open transaction is aborted, as far as that works at once: readers would wait for its time-out. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const open = this.#state === 'open' && !this.#busy
    if (open) await this.#abort(this.#options.clock.monotonicMs()).catch(() => undefined)
    this.#state = 'closed'
    await Promise.all([this.#connections.close(), this.#metadata.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * Ends the transaction after an error too. The answer of version 2 bumps the epoch, so what is still under way is
   * refused. Version 1 keeps the epoch: a delayed Produce or EndTxn could still land in the next transaction, so
   * after an error a new epoch is asked for as well. So it is where the coordinator says that there is nothing to
   * end: never the other way round, for an InitProducerId in an open transaction fences its own sender. All of these
   * carry our identity: a zombie that aborts is fenced and leaves its successor alone.
   */
  async #abort(deadlineMs: number): Promise<void> {
    const clean = this.#requests.version2 || this.#state === 'open'
    try {
      const ended = await this.#requests.end(false, deadlineMs)
      if (ended && clean) return
    } catch (error) {
      const code = errorCodeOf(error)
      if (code !== 'TRANSACTION_ABORTED' && code !== 'COMMIT_OUTCOME_UNKNOWN') throw error
    }
    const { identity } = this.#requests
    await this.#requests.initialize(identity, this.#after(this.#producer.transactionTimeoutMs))
  }

  #begin(): void {
    if (this.#state === 'open') return
    this.#state = 'open'
    this.#deadlineMs = this.#after(this.#producer.transactionTimeoutMs)
  }

  #mustBeUsable(): void {
    if (this.#state === 'fenced')
      throw new StreamsError('TRANSACTION_FENCED', this.#describe('has been fenced'))
    if (this.#state !== 'idle' && this.#state !== 'open')
      throw new StreamsError('INTERNAL', this.#describe(`used in state ${this.#state}`))
  }

  /** One call at a time; a failure leaves a transaction that can only be aborted. */
  async #exclusively<T>(call: () => Promise<T>): Promise<T> {
    if (this.#state === 'closed') throw new StreamsError('CLOSED', this.#describe('is closed'))
    if (this.#busy)
      throw new StreamsError('INTERNAL', this.#describe('called before its last call settled'))
    this.#busy = true
    try {
      return await call()
    } catch (error) {
      this.#noteFailure(error)
      throw error
    } finally {
      this.#busy = false
    }
  }

  #noteFailure(error: unknown): void {
    if (this.#state === 'closed') return
    if (errorCodeOf(error) === 'TRANSACTION_FENCED') this.#state = 'fenced'
    else if (this.#state === 'open') this.#state = 'failed'
  }

  #after(delayMs: number): number {
    return this.#options.clock.monotonicMs() + delayMs
  }

  #describe(what: string): string {
    return `producer ${this.#producer.transactionalId} ${what}`
  }
}
