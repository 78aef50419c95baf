import type { Connection } from '@platformatic/kafka'
import { addOffsetsToTxnV4, addPartitionsToTxnV3, initProducerIdV5 } from './wire-library.ts'
import {
  partitionKey,
  type GroupGeneration,
  type OffsetToCommit,
  type ProducerOptions,
} from '../runtime/ports.ts'
import type { BrokerConnections } from './broker-connections.ts'
import { classify } from './classify.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'
import { Coordinator } from './coordinator.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import { offsetsByTopic } from './offsets-by-topic.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { retrying, type RetryRules } from './retry.ts'
import type { Sequences } from './sequences.ts'
import { endTxn, txnOffsetCommit } from './wire-requests.ts'

/** Who we are to the brokers: the coordinator gives it, every batch carries it. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** Asks for whatever id and epoch come next: fences every other owner of the transactional id. */
export const noIdentity: ProducerIdentity = Object.freeze({ producerId: -1n, producerEpoch: -1 })

/** The requests about one transactional id to its coordinator and to that of the group. */
export class TransactionRequests {
  readonly #options: ResolvedKafkaOptions
  readonly #producer: ProducerOptions
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections
  readonly #sequences: Sequences
  readonly #coordinator: Coordinator
  readonly #groups = new Map<string, Coordinator>()
  /** What version 1 has announced to the coordinator in this transaction. */
  readonly #announced = new Set<string>()
  #version2 = false
  #identity = noIdentity

  constructor(
    options: ResolvedKafkaOptions,
    producer: ProducerOptions,
    metadata: ClusterMetadata,
    connections: BrokerConnections,
    sequences: Sequences,
  ) {
    this.#options = options
    this.#producer = producer
    this.#metadata = metadata
    this.#connections = connections
    this.#sequences = sequences
    this.#coordinator = new Coordinator(
      metadata,
      connections,
      'transaction',
      producer.transactionalId,
    )
  }

  /** Version 2 of the protocol: every transaction has an epoch of its own (KIP-890). */
  get version2(): boolean {
    return this.#version2
  }

  get identity(): ProducerIdentity {
    return this.#identity
  }

  /** Whether version 2 is there may change while we run: somebody upgrades the cluster. */
  async chooseVersion(deadlineMs: number): Promise<void> {
    const rules = this.#rules('asking for the transaction version', deadlineMs, () => undefined)
    this.#version2 =
      (await retrying(rules, () => this.#metadata.finalizedFeature('transaction.version'))) >= 2
  }

  /**
   * Ends what is open, waits until its markers are written. With our identity instead of none, a newer owner is left
   * alone (KIP-360).
   */
  async initialize(expected: ProducerIdentity, deadlineMs: number): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#producer
    const { producerId, producerEpoch } = expected
    const response = await this.#ask('initialising the producer', deadlineMs, connection =>
      initProducerIdV5.api.async(
        connection,
        transactionalId,
        transactionTimeoutMs,
        producerId,
        producerEpoch,
      ),
    )
    this.#adopt(response)
    this.#announced.clear()
  }

  /** Version 1 names the partitions beforehand. */
  async announcePartitions(queues: readonly PartitionQueue[], deadlineMs: number): Promise<void> {
    const fresh = queues.filter(queue => !this.#announced.has(partitionKey(queue)))
    if (this.#version2 || fresh.length === 0) return
    const topics = [...Map.groupBy(fresh, queue => queue.topic)].map(([name, share]) => ({
      name,
      partitions: share.map(queue => queue.partition),
    }))
    const { transactionalId } = this.#producer
    await this.#ask('adding partitions', deadlineMs, connection =>
      addPartitionsToTxnV3.api.async(connection, [
        { transactionalId, ...this.#identity, topics, verifyOnly: false },
      ]),
    )
    for (const queue of fresh) this.#announced.add(partitionKey(queue))
  }

  /** The same offsets of the same transaction again do no harm, so a lost answer is no unknown outcome. */
  async commitOffsets(
    offsets: readonly OffsetToCommit[],
    generation: GroupGeneration,
    deadlineMs: number,
  ): Promise<void> {
    const { groupId, memberId, generationId, groupInstanceId } = generation
    const { transactionalId } = this.#producer
    const { producerId, producerEpoch } = this.#identity
    if (!this.#version2) await this.#announceGroup(groupId, deadlineMs)
    const topics = offsetsByTopic(offsets)
    const { async: request } = this.#version2 ? txnOffsetCommit.version2 : txnOffsetCommit.version1
    const coordinator = this.#groupCoordinator(groupId)
    const rules = this.#rules('committing offsets', deadlineMs, () => coordinator.forget())
    await retrying(rules, async () =>
      request(
        await coordinator.connection(),
        transactionalId,
        groupId,
        producerId,
        producerEpoch,
        generationId,
        memberId,
        groupInstanceId,
        topics,
      ),
    )
  }

  /**
   * Ends the transaction. COMMIT_OUTCOME_UNKNOWN when no answer says how.
   *
   * Version 2 asks again when an answer is lost, and this is why that is safe: every end bumps the epoch, so our
   * request names exactly one transaction. Either the coordinator still has it open, for the first request never
   * arrived: it ends it now. Or it has ended it the way we ask: it recognises the epoch before the bump and repeats
   * its answer. Or it ended it otherwise, because its time was up: INVALID_TXN_STATE. Or somebody has initialised the
   * id since: fenced, and the group's stable offsets say whether we committed. A delayed copy of the request carries
   * the old epoch and cannot touch a later transaction.
   *
   * Version 1 keeps the epoch, so a delayed copy could end a later transaction of ours (KIP-890): a lost answer to a
   * commit is final, and only a new epoch makes the copy harmless. An abort is asked for again, and `false` says that
   * a new epoch must follow.
   */
  async end(commit: boolean, deadlineMs: number): Promise<boolean> {
    const { transactionalId } = this.#producer
    const { producerId, producerEpoch } = this.#identity
    let lost = false
    const rules: RetryRules = {
      ...this.#rules(commit ? 'committing' : 'aborting', deadlineMs, () =>
        this.#coordinator.forget(),
      ),
      lost: this.#version2 || !commit ? 'again' : 'COMMIT_OUTCOME_UNKNOWN',
      exhausted: 'COMMIT_OUTCOME_UNKNOWN',
      handle: error => {
        lost ||= classify(error) === 'lost'
        return undefined
      },
    }
    await retrying(rules, async () => {
      const connection = await this.#coordinator.connection()
      if (this.#version2)
        this.#adopt(
          await endTxn.version2.async(
            connection,
            transactionalId,
            producerId,
            producerEpoch,
            commit,
          ),
        )
      else
        await endTxn.version1.async(connection, transactionalId, producerId, producerEpoch, commit)
    })
    this.#announced.clear()
    return this.#version2 || !lost
  }

  #adopt({ producerId, producerEpoch }: ProducerIdentity): void {
    if (producerId === this.#identity.producerId && producerEpoch === this.#identity.producerEpoch)
      return
    this.#identity = { producerId, producerEpoch }
    this.#sequences.restart()
  }

  async #announceGroup(groupId: string, deadlineMs: number): Promise<void> {
    if (this.#announced.has(groupKey(groupId))) return
    const { transactionalId } = this.#producer
    const { producerId, producerEpoch } = this.#identity
    await this.#ask('adding offsets', deadlineMs, connection =>
      addOffsetsToTxnV4.api.async(connection, transactionalId, producerId, producerEpoch, groupId),
    )
    this.#announced.add(groupKey(groupId))
  }

  #groupCoordinator(groupId: string): Coordinator {
    let coordinator = this.#groups.get(groupId)
    if (coordinator === undefined) {
      coordinator = new Coordinator(this.#metadata, this.#connections, 'group', groupId)
      this.#groups.set(groupId, coordinator)
    }
    return coordinator
  }

  /** Requests that may be repeated: what they ask for is the same the second time. */
  #ask<T>(
    doing: string,
    deadlineMs: number,
    request: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    return retrying(
      this.#rules(doing, deadlineMs, () => this.#coordinator.forget()),
      async () => request(await this.#coordinator.connection()),
    )
  }

  #rules(doing: string, deadlineMs: number, forget: () => void): RetryRules {
    const { clock, retryBackoffMs } = this.#options
    const what = `${doing} (${this.#producer.transactionalId})`
    return { clock, retryBackoffMs, doing: what, deadlineMs, forget, lost: 'again' }
  }
}

/** Cannot be the key of a partition: that ends in a number behind a slash. */
function groupKey(groupId: string): string {
  return `group:${groupId}`
}
