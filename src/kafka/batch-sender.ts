import { sleep } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import { partitionKey } from '../runtime/ports.ts'
import type { BrokerConnections } from './broker-connections.ts'
import { classify, errorName, handlingOf, toStreamsError, type Handling } from './classify.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { Sequences } from './sequences.ts'
import { produce, type ProducedPartition, type TopicBatches } from './wire-requests.ts'

export interface SendIdentity {
  /** Null outside transactions. */
  readonly transactionalId: string | null
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Version 2 of the protocol: Produce adds the partition to the transaction by itself. */
  readonly version2: boolean
}

interface Refusal {
  readonly queue: PartitionQueue
  readonly name: string
  readonly handling: Handling
  readonly cause?: unknown
}

/** Writes records to the leaders of their partitions, each batch until it is acknowledged. */
export class BatchSender {
  readonly #options: ResolvedKafkaOptions
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections
  readonly #sequences: Sequences

  constructor(
    options: ResolvedKafkaOptions,
    metadata: ClusterMetadata,
    connections: BrokerConnections,
    sequences: Sequences,
  ) {
    this.#options = options
    this.#metadata = metadata
    this.#connections = connections
    this.#sequences = sequences
  }

  /**
   * A partition has one batch under way at a time; the leaders work in parallel. A batch whose answer is lost, or
   * whose leader has moved, is sent again with the same sequence number: a broker that has it already, or has it from
   * its predecessor, answers with its offset and does not write it twice (KIP-98). So an unknown outcome of a Produce
   * never leaves this function.
   */
  async send(
    queues: readonly PartitionQueue[],
    identity: SendIdentity,
    deadlineMs: number,
  ): Promise<void> {
    let open = queues
    for (let failures = 0; open.length > 0; open = open.filter(queue => queue.hasMore)) {
      const refusals = await this.#round(open, identity, deadlineMs)
      if (refusals.length === 0) {
        failures = 0
        continue
      }
      for (const refusal of refusals) refuseForGood(refusal)
      if (this.#options.clock.monotonicMs() >= deadlineMs) throw unavailable(refusals[0]!)
      this.#metadata.forget(
        refusals.filter(each => each.handling !== 'again').map(each => each.queue.topic),
      )
      failures += 1
      const onlyMarkers = refusals.every(each => each.name === 'CONCURRENT_TRANSACTIONS')
      await sleep(
        this.#options.clock,
        onlyMarkers
          ? Math.min(2 * failures, 20)
          : Math.min(10 * failures, this.#options.retryBackoffMs),
      )
    }
  }

  /** Sends the first batch of every queue to its leader. Returns what was not acknowledged. */
  async #round(
    queues: readonly PartitionQueue[],
    identity: SendIdentity,
    deadlineMs: number,
  ): Promise<Refusal[]> {
    const leaders = await this.#leaders(queues)
    if (Array.isArray(leaders)) return leaders
    const byLeader = Map.groupBy(queues, queue => leaders.get(partitionKey(queue))!)
    const refusals = await Promise.all(
      [...byLeader].map(([leader, share]) => this.#sendTo(leader, share, identity, deadlineMs)),
    )
    return refusals.flat()
  }

  async #leaders(
    queues: readonly PartitionQueue[],
  ): Promise<ReadonlyMap<string, number> | Refusal[]> {
    try {
      return await this.#metadata.leadersOf(queues)
    } catch (cause) {
      return queues.map(queue => failed(queue, cause))
    }
  }

  async #sendTo(
    leader: number,
    queues: readonly PartitionQueue[],
    identity: SendIdentity,
    deadlineMs: number,
  ): Promise<Refusal[]> {
    const topics: TopicBatches[] = []
    for (const [topic, share] of Map.groupBy(queues, queue => queue.topic)) {
      const partitions = share.map(queue => ({
        partition: queue.partition,
        batch: this.#sealHead(queue, identity),
      }))
      topics.push({ topic, partitions })
    }
    const request = identity.version2 ? produce.version2 : produce.version1
    const timeoutMs = Math.max(1, Math.ceil(deadlineMs - this.#options.clock.monotonicMs()))
    let answers: readonly ProducedPartition[]
    try {
      const broker = this.#metadata.broker(leader)
      if (broker === undefined)
        throw new StreamsError('BROKER_UNAVAILABLE', `broker ${leader} is not known`)
      const connection = await this.#connections.to(broker)
      answers = await request.async(connection, identity.transactionalId, timeoutMs, topics)
    } catch (cause) {
      return queues.map(queue => failed(queue, cause))
    }
    const byKey = new Map(answers.map(answer => [partitionKey(answer), answer]))
    return queues.flatMap(queue => this.#settle(queue, byKey.get(partitionKey(queue))))
  }

  #sealHead(
    queue: PartitionQueue,
    { producerId, producerEpoch, transactionalId }: SendIdentity,
  ): Buffer {
    const baseSequence = this.#sequences.next(partitionKey(queue))
    const isTransactional = transactionalId !== null
    return queue.sealHead({ producerId, producerEpoch, baseSequence, isTransactional })
  }

  #settle(queue: PartitionQueue, answer: ProducedPartition | undefined): Refusal[] {
    if (answer === undefined)
      return [{ queue, name: 'no answer for the partition', handling: 'again' }]
    if (answer.errorCode !== 0) {
      const name = errorName(answer.errorCode)
      const handling = handlingOf(name)
      // The topic takes less than we think: what was refused was not written, so halves may follow with the same
      // sequence.
      if (handling === 'RECORD_TOO_LARGE' && queue.halve()) return []
      return [{ queue, name, handling, cause: answer.errorMessage ?? undefined }]
    }
    this.#sequences.advance(partitionKey(queue), queue.acknowledge(answer.baseOffset))
    return []
  }
}

function failed(queue: PartitionQueue, cause: unknown): Refusal {
  return { queue, name: 'no answer', handling: classify(cause), cause }
}

/** Throws unless another attempt may help. */
function refuseForGood({ queue, name, handling, cause }: Refusal): void {
  if (handling === 'again' || handling === 'elsewhere' || handling === 'lost') return
  if (cause instanceof Error)
    throw toStreamsError(cause, handling, `writing to ${partitionKey(queue)}`)
  throw new StreamsError(handling, `writing to ${partitionKey(queue)}: ${name}`, { cause })
}

function unavailable({ queue, name, cause }: Refusal): StreamsError {
  return new StreamsError('BROKER_UNAVAILABLE', `writing to ${partitionKey(queue)}: ${name}`, {
    cause,
  })
}
