import { sleep } from '../clock.ts'
import { StreamsError, describeError, errorCodeOf } from '../errors.ts'
import {
  partitionKey,
  type CommittedRecordsFetcher,
  type FetchedBatch,
  type FetcherOptions,
  type TopicPartition,
} from '../runtime/ports.ts'
import { BrokerConnections } from './broker-connections.ts'
import { classify, errorName, handlingOf, toStreamsError } from './classify.ts'
import { ClusterMetadata } from './cluster-metadata.ts'
import { byTopicId, fetchPartitions } from './fetch-partitions.ts'
import { FetchPosition } from './fetch-position.ts'
import { listOffsets } from './list-offsets.ts'
import type { ResolvedKafkaOptions } from './options.ts'
import type { FetchedPartition } from './wire-requests.ts'

/**
 * Two connections to each broker: partitions that become wanted while a fetch of the others waits on the broker
 * (assigned, resumed) go out on the second one at once.
 */
const lanesPerBroker = 2

/**
 * `CommittedRecordsFetcher` over the wire. A broker is asked again when all that has come from it has been handed
 * out: so the next answer is under way while the caller works, and one request asks for all partitions.
 */
export class KafkaCommittedRecordsFetcher implements CommittedRecordsFetcher {
  readonly #options: ResolvedKafkaOptions
  readonly #fetch: FetcherOptions
  readonly #metadata: ClusterMetadata
  readonly #lanes: readonly BrokerConnections[]
  readonly #positions = new Map<string, FetchPosition>()
  /** Lanes that have a fetch under way, by broker and number. */
  readonly #busy = new Map<string, Promise<void>>()
  readonly #closing = new AbortController()
  readonly #troubled = new Set<number>()
  #listener: () => void = () => undefined
  readonly #tell = (): void => this.#listener()
  #looking: Promise<void> | undefined
  #polls = 0

  constructor(options: ResolvedKafkaOptions, fetchOptions: FetcherOptions) {
    this.#options = options
    this.#fetch = fetchOptions
    this.#metadata = new ClusterMetadata(options)
    const answerMs = options.requestTimeoutMs + fetchOptions.maxWaitMs
    this.#lanes = Array.from(
      { length: lanesPerBroker },
      () => new BrokerConnections(options, answerMs),
    )
  }

  assign(at: TopicPartition, offset: number): void {
    this.#mustBeOpen()
    const position = new FetchPosition(at, offset)
    position.leader = this.#metadata.leaderOf(at)
    this.#positions.set(partitionKey(at), position)
    this.#fetchMore()
  }

  unassign(at: TopicPartition): void {
    this.#positions.delete(partitionKey(at))
    this.#fetchMore()
  }

  pause(at: TopicPartition): void {
    const position = this.#positions.get(partitionKey(at))
    if (position !== undefined) position.paused = true
    this.#fetchMore()
  }

  resume(at: TopicPartition): void {
    const position = this.#positions.get(partitionKey(at))
    if (position === undefined || !position.paused) return
    position.paused = false
    if (position.buffered) this.#listener()
    this.#fetchMore()
  }

  poll(): FetchedBatch[] {
    this.#mustBeOpen()
    let hasNews = false
    for (const { failure, buffered, paused } of this.#positions.values()) {
      if (failure !== undefined) throw failure
      hasNews ||= buffered && !paused
    }
    return hasNews ? this.#takeInTurn() : []
  }

  #takeInTurn(): FetchedBatch[] {
    const positions = this.#rotated()
    const batches: FetchedBatch[] = []
    for (const position of positions) {
      if (position.paused) continue
      const batch = this.#take(position)
      if (batch !== undefined) batches.push(batch)
    }
    // Who waits to be told must hear of what is left.
    if (positions.some(each => each.buffered && !each.paused)) queueMicrotask(this.#tell)
    this.#fetchMore()
    return batches
  }

  onReady(listener: () => void): void {
    this.#listener = listener
  }

  async close(): Promise<void> {
    this.#positions.clear()
    this.#closing.abort()
    await Promise.all([...this.#lanes, this.#metadata].map(each => each.close()))
    await Promise.all([...this.#busy.values(), this.#looking])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Each poll begins one partition later. */
  #rotated(): readonly FetchPosition[] {
    const positions = [...this.#positions.values()]
    if (positions.length === 0) return positions
    this.#polls += 1
    const first = this.#polls % positions.length
    return [...positions.slice(first), ...positions.slice(0, first)]
  }

  /** A batch that does not decode is fetched once more: it may have been damaged on its way. */
  #take(position: FetchPosition): FetchedBatch | undefined {
    try {
      return position.take(this.#fetch.recordsPerPoll ?? Infinity)
    } catch (error) {
      if (errorCodeOf(error) !== 'BROKER_UNAVAILABLE') throw error
      this.#options.log.warn({ event: 'fetch-damaged', reason: describeError(error) })
      return undefined
    }
  }

  // ---------------------------------------------------------------- fetching

  /** Starts whatever can be started. Cheap, and called after every change. */
  #fetchMore(): void {
    if (this.#closing.signal.aborted || !this.#mayStart()) return
    const byLeader = Map.groupBy(this.#positions.values(), position => position.leader)
    for (const [leader, positions] of byLeader) {
      if (leader === undefined) {
        this.#lookForLeaders()
        continue
      }
      if (positions.some(position => position.buffered && !position.paused)) continue
      const wanted = positions.filter(position => position.wanted)
      if (wanted.length > 0) this.#startLane(leader, wanted)
    }
  }

  #mayStart(): boolean {
    for (const position of this.#positions.values())
      if (position.leader === undefined || position.wanted) return true
    return false
  }

  #startLane(leader: number, positions: readonly FetchPosition[]): void {
    const free = this.#lanes.findIndex((_, index) => !this.#busy.has(`${leader}/${index}`))
    if (free < 0) return
    const key = `${leader}/${free}`
    for (const position of positions) position.inFlight = true
    const run = this.#runLane(leader, this.#lanes[free]!, positions).finally(() => {
      for (const position of positions) position.inFlight = false
      this.#busy.delete(key)
      this.#fetchMore()
    })
    this.#busy.set(key, run)
  }

  async #runLane(
    leader: number,
    lane: BrokerConnections,
    positions: readonly FetchPosition[],
  ): Promise<void> {
    const topicIds = new Map<string, string>()
    for (const { topic } of positions)
      topicIds.set(topic, this.#metadata.topic(topic)?.topicId ?? '')
    try {
      const broker = this.#metadata.broker(leader)
      if (broker === undefined || [...topicIds.values()].includes('')) return loseLeaders(positions)
      const connection = await lane.to(broker)
      // The order decides who gets the bytes of a full response: it turns with every poll.
      const response = await fetchPartitions(
        connection,
        this.#inTurn(positions),
        topicIds,
        this.#fetch,
      )
      if (response.errorCode !== 0)
        throw new StreamsError('BROKER_UNAVAILABLE', `fetch: ${errorName(response.errorCode)}`)
      this.#troubled.delete(leader)
      const known = byTopicId(positions, topicIds)
      let news = false
      for (const each of response.partitions) {
        const position = known.get(partitionKey({ topic: each.topicId, partition: each.partition }))
        if (position === undefined || this.#positions.get(partitionKey(position)) !== position)
          continue
        news = (await this.#settle(position, each)) || news
      }
      if (news) this.#listener()
    } catch (error) {
      await this.#brokerTrouble(leader, positions, error)
    }
  }

  #inTurn(positions: readonly FetchPosition[]): readonly FetchPosition[] {
    const first = this.#polls % positions.length
    return [...positions.slice(first), ...positions.slice(0, first)]
  }

  /** True when `poll` has something to say about it. */
  async #settle(position: FetchPosition, response: FetchedPartition): Promise<boolean> {
    if (response.errorCode === 0) return position.accept(response)
    const name = errorName(response.errorCode)
    const handling = handlingOf(name)
    const where = `${partitionKey(position)} at offset ${position.offset}`
    if (handling === 'OFFSET_OUT_OF_RANGE') {
      const start = (
        await listOffsets(this.#metadata, this.#lanes[0]!, [position], 'earliest')
      ).get(partitionKey(position))
      position.failure = new StreamsError(
        handling,
        `${where}: out of range, the log starts at ${start}`,
      )
      return true
    }
    if (handling === 'again' || handling === 'elsewhere') {
      position.leader = undefined
      this.#metadata.forget([position.topic])
      return false
    }
    position.failure = toStreamsError(
      undefined,
      handling === 'lost' ? 'BROKER_UNAVAILABLE' : handling,
      `${where}: ${name}`,
    )
    return true
  }

  async #brokerTrouble(
    leader: number,
    positions: readonly FetchPosition[],
    error: unknown,
  ): Promise<void> {
    if (this.#closing.signal.aborted) return
    const handling = classify(error)
    if (handling !== 'again' && handling !== 'elsewhere' && handling !== 'lost') {
      for (const position of positions)
        position.failure = toStreamsError(error, handling, 'fetching')
      this.#listener()
      return
    }
    // One line for each time a broker goes away, however long it stays away.
    if (!this.#troubled.has(leader))
      this.#options.log.warn({
        event: 'fetch-failed',
        broker: leader,
        reason: describeError(error),
      })
    this.#troubled.add(leader)
    loseLeaders(positions)
    await sleep(this.#options.clock, this.#options.retryBackoffMs, this.#closing.signal)
  }

  /** Asks for the leaders of the partitions that have none, until all have one. One loop at a time. */
  #lookForLeaders(): void {
    this.#looking ??= this.#leaderLoop().finally(() => {
      this.#looking = undefined
      this.#fetchMore()
    })
  }

  async #leaderLoop(): Promise<void> {
    for (let rounds = 0; !this.#closing.signal.aborted; rounds += 1) {
      const lost = [...this.#positions.values()].filter(position => position.leader === undefined)
      if (lost.length === 0) return
      try {
        await this.#metadata.refresh([...new Set(lost.map(position => position.topic))])
        for (const position of lost) position.leader = this.#metadata.leaderOf(position)
        if (lost.every(position => position.leader !== undefined)) return
      } catch (error) {
        if (this.#closing.signal.aborted) return
        if (errorCodeOf(error) === 'AUTHORIZATION_FAILED') {
          for (const position of lost) position.failure = error as StreamsError
          this.#listener()
        }
        if (rounds === 0)
          this.#options.log.warn({ event: 'leader-unknown', reason: describeError(error) })
      }
      await sleep(this.#options.clock, this.#options.retryBackoffMs, this.#closing.signal)
      this.#fetchMore()
    }
  }

  #mustBeOpen(): void {
    if (this.#closing.signal.aborted) throw new StreamsError('CLOSED', 'the fetcher is closed')
  }
}

function loseLeaders(positions: readonly FetchPosition[]): void {
  for (const position of positions) position.leader = undefined
}
