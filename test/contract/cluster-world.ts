import type {
  CommittedRecordsFetcher,
  ConsumedRecord,
  FetchedBatch,
  FetcherOptions,
  GroupMember,
  GroupMemberOptions,
  IdempotentProducer,
  KafkaCluster,
  ProducedRecord,
  TopicPartition,
  TransactionalProducer,
} from '../../src/runtime/ports.ts'

/** One cluster, empty or shared with others, and how to wait in its time. */
export interface ClusterWorld {
  /** The door of one more process. */
  connect(): KafkaCluster
  /** Lets time go on until the promise settles, and settles alike. */
  settle<T>(promise: Promise<T>): Promise<T>
  /** Lets time go on until the condition holds; fails when it never does. */
  until(condition: () => boolean): Promise<void>
  close(): Promise<void>
}

const fetcherOptions: FetcherOptions = {
  maxWaitMs: 50,
  maxBytesPerPartition: 1_000_000,
  maxBytes: 4_000_000,
}

let names = 0

/** Names that no other test of the same cluster uses, and short forms for what every test does. */
export class ContractScene {
  readonly world: ClusterWorld
  readonly topic: string
  readonly groupId: string
  readonly cluster: KafkaCluster
  readonly #parts: { close(): Promise<void> }[] = []

  private constructor(world: ClusterWorld) {
    names += 1
    const name = `contract-${process.pid}-${names}`
    this.world = world
    this.topic = `${name}-topic`
    this.groupId = `${name}-group`
    this.cluster = this.connect()
  }

  /** With a topic of three partitions. */
  static async open(
    world: ClusterWorld,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<ContractScene> {
    const scene = new ContractScene(world)
    const topics = [{ name: scene.topic, partitions: 3, configs }]
    await world.settle(scene.cluster.admin.createTopics(topics))
    return scene
  }

  get at(): TopicPartition {
    return { topic: this.topic, partition: 0 }
  }

  connect(): KafkaCluster {
    const cluster = this.world.connect()
    this.#parts.push(cluster)
    return cluster
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.settle(promise)
  }

  record(value: string, partition = 0, timestampMs = 1_700_000_000_000): ProducedRecord {
    const bytes = Buffer.from(value)
    return { topic: this.topic, partition, key: bytes, value: bytes, headers: [], timestampMs }
  }

  /** An initialised producer of a process of its own. */
  async producer(transactionalId = `${this.topic}-producer`): Promise<TransactionalProducer> {
    const producer = this.connect().createProducer({
      transactionalId,
      transactionTimeoutMs: 30_000,
    })
    this.#parts.push(producer)
    await this.settle(producer.init())
    return producer
  }

  /** The same, without transactions. */
  async idempotentProducer(
    transactionalId = `${this.topic}-producer`,
  ): Promise<IdempotentProducer> {
    const producer = this.connect().createIdempotentProducer({
      transactionalId,
      transactionTimeoutMs: 30_000,
    })
    this.#parts.push(producer)
    await this.settle(producer.init())
    return producer
  }

  fetcher(options: Partial<FetcherOptions> = {}): CommittedRecordsFetcher {
    const fetcher = this.connect().createFetcher({ ...fetcherOptions, ...options })
    this.#parts.push(fetcher)
    return fetcher
  }

  member(options: Partial<GroupMemberOptions> = {}): GroupMember {
    const member = this.connect().createMember({
      groupId: this.groupId,
      groupInstanceId: null,
      topics: [this.topic],
      protocolName: 'contract',
      assignor: members => {
        const one = (index: number) => ({
          partitions: [{ topic: this.topic, partition: index }],
          userData: Buffer.from(
            members
              .map(each => String(each.userData))
              .toSorted()
              .join('+'),
          ),
        })
        const sorted = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1))
        return Promise.resolve(new Map(sorted.map(({ memberId }, index) => [memberId, one(index)])))
      },
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 100,
      ...options,
    })
    this.#parts.push(member)
    return member
  }

  join(member: GroupMember, userData = 'user data') {
    return member.join(Buffer.from(userData), new AbortController().signal)
  }

  /** Reads from the offset until the position has been reached. */
  async read(
    offset: number,
    untilOffset: number,
    options: Partial<FetcherOptions> = {},
  ): Promise<ConsumedRecord[]> {
    const batches = await this.readBatches(offset, untilOffset, options)
    return batches.flatMap(batch => batch.records)
  }

  async readBatches(
    offset: number,
    untilOffset: number,
    options: Partial<FetcherOptions> = {},
  ): Promise<FetchedBatch[]> {
    const fetcher = this.fetcher(options)
    const batches: FetchedBatch[] = []
    fetcher.onReady(() => batches.push(...fetcher.poll()))
    fetcher.assign(this.at, offset)
    await this.world.until(() => (batches.at(-1)?.nextOffset ?? offset) >= untilOffset)
    await this.settle(fetcher.close())
    return batches
  }

  async endOffset(): Promise<number> {
    const ends = await this.settle(this.cluster.admin.endOffsets([this.at]))
    return ends.get(`${this.topic}/0`) ?? -1
  }

  async values(offset = 0): Promise<string[]> {
    const records = await this.read(offset, await this.endOffset())
    return records.map(record => String(record.value))
  }

  async close(): Promise<void> {
    for (const part of this.#parts.toReversed()) await this.settle(part.close())
  }
}
