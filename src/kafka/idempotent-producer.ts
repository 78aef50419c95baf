import { initProducerIdV5, offsetCommitV9 } from './wire-library.ts'
import { StreamsError, describeError, errorCodeOf } from '../errors.ts'
import type {
  GatheredRecords,
  GroupGeneration,
  IdempotentProducer,
  OffsetToCommit,
  ProducedRange,
  ProducedRecord,
  ProducerOptions,
} from '../runtime/ports.ts'
import { BatchSender } from './batch-sender.ts'
import { BrokerConnections } from './broker-connections.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import { Coordinator } from './coordinator.ts'
import { offsetsByTopic } from './offsets-by-topic.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import { PartitionQueues } from './partition-queue.ts'
import { retrying, type RetryRules } from './retry.ts'
import { Sequences } from './sequences.ts'
import { SpareBuffers } from './spare-buffers.ts'
import { type ProducerIdentity, TransactionRequests, noIdentity } from './transaction-requests.ts'

/** An epoch is 16 bits, with a sign. */
const lastEpoch = 32_767

/** `new` and `failed`: only `init` helps. */
type State = 'new' | 'ready' | 'failed' | 'closed'

/** `IdempotentProducer` over the wire: a producer id without a transactional id (KIP-98), every replica in sync acknowledges. */
export class KafkaIdempotentProducer implements IdempotentProducer {
  readonly #options: ResolvedKafkaOptions
  readonly #producer: ProducerOptions
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections
  readonly #sequences = new Sequences()
  readonly #sender: BatchSender
  readonly #spares = new SpareBuffers()
  readonly #groups = new Map<string, Coordinator>()
  #identity = noIdentity
  #state: State = 'new'
  #busy = false
  #hasEndedTransactions = false

  constructor(options: ResolvedKafkaOptions, producer: ProducerOptions) {
    this.#options = options
    this.#producer = producer
    this.#metadata = new ClusterMetadata(options)
    // An answer that does not come must be noticed early enough to ask again inside the time.
    const answerMs = Math.min(
      options.requestTimeoutMs,
      Math.ceil(producer.transactionTimeoutMs / 3),
    )
    this.#connections = new BrokerConnections(options, answerMs)
    this.#sender = new BatchSender(options, this.#metadata, this.#connections, this.#sequences)
  }

  init(): Promise<void> {
    return this.#exclusively(async () => {
      const deadlineMs = this.#after(this.#options.requestTimeoutMs)
      if (!this.#hasEndedTransactions) await this.#endTransactions(deadlineMs)
      this.#hasEndedTransactions = true
      this.#identity = await this.#nextIdentity(deadlineMs)
      this.#sequences.restart()
      this.#state = 'ready'
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
      this.#mustBeReady()
      const { queues } = gathered as PartitionQueues
      const { producerId, producerEpoch } = this.#identity
      const identity = { transactionalId: null, version2: false, producerId, producerEpoch }
      await this.#sender.send(queues, identity, this.#deadlineMs())
      return queues.map(queue => queue.range())
    })
  }

  /** The same positions again do no harm. A late copy of the request may set them back: then some records are processed again. */
  commitOffsets(offsets: readonly OffsetToCommit[], generation: GroupGeneration): Promise<void> {
    return this.#exclusively(async () => {
      this.#mustBeReady()
      if (offsets.length === 0) return
      const { groupId, memberId, generationId, groupInstanceId } = generation
      const coordinator = this.#coordinatorOf(groupId)
      const topics = offsetsByTopic(offsets)
      const rules = this.#rules('committing offsets', this.#deadlineMs(), () =>
        coordinator.forget(),
      )
      await retrying(rules, async () =>
        offsetCommitV9.api.async(
          await coordinator.connection(),
          groupId,
          generationId,
          memberId,
          groupInstanceId,
          topics,
        ),
      )
    })
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    await Promise.all([this.#connections.close(), this.#metadata.close()])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * After a failure the same producer id in its next epoch (KIP-360): a batch that was given up and is still on its way is refused by
   * every partition that has had one of this epoch. Under a new id it would be written over what has been written since.
   */
  async #nextIdentity(deadlineMs: number): Promise<ProducerIdentity> {
    const { producerId, producerEpoch } = this.#identity
    if (producerId !== noIdentity.producerId && producerEpoch < lastEpoch)
      return { producerId, producerEpoch: producerEpoch + 1 }
    const { transactionTimeoutMs } = this.#producer
    const rules = this.#rules('asking for a producer id', deadlineMs, () => undefined)
    return retrying(rules, () =>
      this.#metadata.ask(connection =>
        initProducerIdV5.api.async(
          connection,
          null,
          transactionTimeoutMs,
          noIdentity.producerId,
          noIdentity.producerEpoch,
        ),
      ),
    )
  }

  /**
   * What an exactly-once run of the same name has left open is aborted now, rather than when its time is up: until then nobody reads
   * past it. Who may not use transactional ids has left none open.
   */
  async #endTransactions(deadlineMs: number): Promise<void> {
    const requests = new TransactionRequests(
      this.#options,
      this.#producer,
      this.#metadata,
      this.#connections,
      new Sequences(),
    )
    try {
      await requests.initialize(noIdentity, deadlineMs)
    } catch (error) {
      if (errorCodeOf(error) !== 'AUTHORIZATION_FAILED') throw error
      this.#options.log.info({ event: 'no-transactional-id' }, describeError(error))
    }
  }

  #coordinatorOf(groupId: string): Coordinator {
    let coordinator = this.#groups.get(groupId)
    if (coordinator === undefined) {
      coordinator = new Coordinator(this.#metadata, this.#connections, 'group', groupId)
      this.#groups.set(groupId, coordinator)
    }
    return coordinator
  }

  #rules(doing: string, deadlineMs: number, forget: () => void): RetryRules {
    const { clock, retryBackoffMs } = this.#options
    return { clock, retryBackoffMs, doing, deadlineMs, forget, lost: 'again' }
  }

  #mustBeReady(): void {
    if (this.#state !== 'ready')
      throw new StreamsError('INTERNAL', `idempotent producer used in state ${this.#state}`)
  }

  /** One call at a time; after a failure nobody knows what has been written, so the numbers begin anew. */
  async #exclusively<T>(call: () => Promise<T>): Promise<T> {
    if (this.#state === 'closed')
      throw new StreamsError('CLOSED', 'the idempotent producer is closed')
    if (this.#busy)
      throw new StreamsError('INTERNAL', 'idempotent producer called before its last call settled')
    this.#busy = true
    try {
      return await call()
    } catch (error) {
      if (this.#state === 'ready') this.#state = 'failed'
      throw error
    } finally {
      this.#busy = false
    }
  }

  #deadlineMs(): number {
    return this.#after(this.#producer.transactionTimeoutMs)
  }

  #after(delayMs: number): number {
    return this.#options.clock.monotonicMs() + delayMs
  }
}
