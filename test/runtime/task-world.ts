import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { silentLogger } from '../../src/log.ts'
import { gatherChangelog } from '../../src/runtime/changelog-records.ts'
import { applyToDisk } from '../../src/runtime/commit-cycle.ts'
import { Cycle } from '../../src/runtime/cycle.ts'
import { Instances } from '../../src/runtime/instances.ts'
import type { ConsumedRecord, ProducedRecord } from '../../src/runtime/ports.ts'
import { RecordList } from '../../src/runtime/record-list.ts'
import { prepareTopics } from '../../src/runtime/internal-topics.ts'
import { restoreTask } from '../../src/runtime/restore.ts'
import { noProcessingMarks } from '../../src/runtime/processing-marks.ts'
import { RuntimeMetrics } from '../../src/runtime/runtime-metrics.ts'
import { RestoreProgress } from '../../src/runtime/restore-progress.ts'
import { Suspicion } from '../../src/runtime/suspicion.ts'
import { Task } from '../../src/runtime/task.ts'
import type { TaskContext } from '../../src/runtime/task-context.ts'
import { TaskProcessing } from '../../src/runtime/task-processing.ts'
import { type Serde, utf8Serde } from '../../src/serde.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import type {
  ProcessorContext,
  Punctuation,
  SourceNode,
  StreamRecord,
  Topology,
} from '../../src/topology/topology.ts'

export type Text = StreamRecord<string, string>
export type TextContext = ProcessorContext<Text>

export const words: StoreDefinition<string> = {
  name: 'words',
  kind: 'rocksdb',
  value: utf8Serde,
  changelogConfigs: { 'cleanup.policy': 'compact' },
}

export interface TaskWorldOptions {
  readonly process?: (record: Text, context: TextContext) => void
  readonly punctuations?: readonly Punctuation<Text>[]
  readonly reread?: SourceNode['reread']
  readonly value?: Serde<string>
  /** Declares the value of each record as a key of `words`. @default false */
  readonly prefetch?: boolean
}

function topologyOf(options: TaskWorldOptions): Topology {
  const { process = (record, context) => context.forward(record), punctuations = [] } = options
  const input = topic('in', { key: utf8Serde, value: options.value ?? utf8Serde })
  return new TopologyBuilder()
    .source('in', input, { reread: options.reread ?? 'process' })
    .process('work', {
      from: 'in',
      stores: [words],
      processor: () => ({ process, punctuations }),
      ...(options.prefetch && {
        prefetch: record => [{ store: words, key: String(record.value) }],
      }),
    })
    .sink('out', { from: 'work', topic: topic('out', { key: utf8Serde, value: utf8Serde }) })
    .deadLetters('dead')
    .build()
}

/** One task, `in_0`, with all it needs; its cluster, disk and clock are simulated, the rest is real. */
export class TaskWorld {
  readonly simulation = new Simulation({ seed: 1 })
  readonly process = this.simulation.startProcess('a')
  readonly cluster = this.simulation.connect(this.process)
  readonly disk = new SimulatedDisk(this.simulation.network)
  readonly topology: Topology
  #context: TaskContext | undefined
  #task: Task | undefined
  #processing: TaskProcessing | undefined
  #gathered = new RecordList()
  cycle = new Cycle(1, this.#gathered)

  private constructor(options: TaskWorldOptions) {
    this.topology = topologyOf(options)
    for (const name of ['in', 'out', 'dead'])
      this.simulation.broker.createTopic({ name, partitions: 2, configs: {} })
  }

  /** With a task that runs. */
  static async running(options: TaskWorldOptions = {}): Promise<TaskWorld> {
    const world = await TaskWorld.created(options)
    await world.restore()
    return world
  }

  /** With a task that has not looked at anything. */
  static async created(options: TaskWorldOptions = {}): Promise<TaskWorld> {
    const world = new TaskWorld(options)
    await world.#prepare()
    return world
  }

  get task(): Task {
    return this.#task!
  }

  /** What the tasks of this world share. */
  get context(): TaskContext {
    return this.#context!
  }

  get processing(): TaskProcessing {
    return this.#processing!
  }

  async restore(): Promise<void> {
    this.task.moveTo('restoring')
    await this.simulation.settle(restoreTask(this.task))
    this.task.moveTo('running')
  }

  /** Values as a fetch would bring them, from the offset on; null is a tombstone. */
  feed(values: readonly (string | null)[], offset = 0): void {
    const records = values.map((value, index): ConsumedRecord => ({
      topic: 'in',
      partition: 0,
      offset: offset + index,
      timestampMs: 1000 + offset + index,
      key: Buffer.from('key'),
      value: value === null ? null : Buffer.from(value),
      headers: [],
    }))
    const nextOffset = offset + values.length
    const place = { topic: 'in', partition: 0, logStartOffset: 0 }
    this.task.enqueue({ ...place, records, nextOffset, highWatermark: nextOffset })
  }

  async processSome(limit: number): Promise<number> {
    return (await this.processing.prepare(limit)?.process()) ?? 0
  }

  async processAll(): Promise<number> {
    let processed = 0
    for (let more = 1; more > 0; processed += more)
      more = await this.simulation.settle(this.processSome(100))
    return processed
  }

  /** Values produced to the topic in the active cycle. */
  produced(name: string): string[] {
    return this.outputs(name).map(each => String(each.value))
  }

  outputs(name: string): ProducedRecord[] {
    void this.cycle.gathered
    return this.#gathered.records.filter(each => each.topic === name)
  }

  /** The active cycle is committed: changelog, the group's offsets, the disk. Its outputs go nowhere. */
  async commit(): Promise<void> {
    const { simulation, cluster, task } = this
    const changelog = new RecordList()
    const frozen = task.freeze('test:1')
    for (const { store, writes } of frozen.stores)
      gatherChangelog(changelog, store, task.partition, writes, 0)
    const transactionalId = simulation.random.uuid()
    const producer = cluster.createProducer({ transactionalId, transactionTimeoutMs: 10_000 })
    await simulation.settle(producer.init())
    const ranges = await simulation.settle(producer.send(changelog.records))
    await simulation.settle(producer.commit())
    simulation.broker.group('app').offsets.set(frozen.offsets)
    await simulation.settle(applyToDisk({ tasks: [frozen] }, ranges))
    task.retire()
    this.#gathered = new RecordList()
    this.cycle = new Cycle(this.cycle.number + 1, this.#gathered)
  }

  /** The process ends and another one starts; `withDisk` says whether it finds the disk. */
  async restart({ withDisk = true } = {}): Promise<void> {
    await this.simulation.settle(this.task.closeStores())
    if (!withDisk) {
      const stateDirectory = new SimulatedDisk(this.simulation.network).mount(this.process)
      this.#context = { ...this.#context!, stateDirectory }
    }
    this.#newTask()
    await this.restore()
  }

  /** What is on the disk. */
  async stored(key: string): Promise<string | undefined> {
    const { backend } = this.task.stores.get(words.name)!
    const [value] = await this.simulation.settle(backend.getMany([key]))
    return value?.toString()
  }

  async #prepare(): Promise<void> {
    const { simulation, cluster, process, topology, disk } = this
    const catalog = await simulation.settle(
      prepareTopics({
        admin: cluster.admin,
        applicationId: 'app',
        topology,
        log: silentLogger,
        createTopicsHint: '',
        acceptLostState: false,
      }),
    )
    this.#context = {
      applicationId: 'app',
      topology,
      catalog,
      cluster,
      table: () => {
        throw new Error('this topology has no table')
      },
      stateDirectory: disk.mount(process),
      clock: process.clock,
      random: simulation.random,
      log: silentLogger,
      metrics: new RuntimeMetrics(),
      instances: new Instances(),
      journal: disk.openJournal(process),
      acceptLostState: false,
      restores: new RestoreProgress(process.clock, silentLogger),
      suspicion: new Suspicion(noProcessingMarks, silentLogger),
      slots: new Map(
        topology.nodes.map(({ name }) => [
          name,
          new SinkSlots(1, process.clock, simulation.random),
        ]),
      ),
      incarnation: 'test',
      activeCycle: () => this.cycle,
      wake: () => undefined,
      onLateFact: () => undefined,
    }
    this.#newTask()
  }

  #newTask(): void {
    this.#task = new Task(this.#context!, this.topology.subTopologies[0]!, 0)
    this.#processing = new TaskProcessing(this.#task)
  }
}
