import { type Clock, sleep } from '../clock.ts'
import type { EffectDefinition } from '../effects/effect.ts'
import type { Journal } from '../effects/journal.ts'
import { SinkSlots } from '../effects/sink-slots.ts'
import { describeError, StreamsError } from '../errors.ts'
import type { FindTable } from '../global-table.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import type { StateDirectory } from '../state/store.ts'
import type { Topology } from '../topology/topology.ts'
import { GlobalTables } from './global-tables.ts'
import { Instances } from './instances.ts'
import { prepareTopics } from './internal-topics.ts'
import type { KafkaCluster } from './ports.ts'
import { isPassing } from './restore.ts'
import { noProcessingMarks, type ProcessingMarks } from './processing-marks.ts'
import { RestoreProgress, type RestoreState } from './restore-progress.ts'
import { RuntimeMetrics } from './runtime-metrics.ts'
import {
  resolveStreamsOptions,
  type StreamsOptions,
  type StreamsSettings,
} from './streams-options.ts'
import { StoreQueries } from './store-queries.ts'
import type { Task } from './task.ts'
import { Suspicion } from './suspicion.ts'
import { storeCount } from './topic-catalog.ts'
import { watchTopics } from './topic-watch.ts'
import { Worker } from './worker.ts'

/** The world an instance runs in. Whoever made these closes them, after the instance has stopped. */
export interface StreamsEnvironment {
  readonly cluster: KafkaCluster
  readonly stateDirectory: StateDirectory
  readonly journal: Journal
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics?: RuntimeMetrics
  /** Tells after a death what was being processed. @default forgets */
  readonly processingMarks?: ProcessingMarks
}

export type StreamsState = 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

/** One instance of an application: it joins the others of its application id and takes its share of the tasks. */
export class Streams {
  readonly #topology: Topology
  readonly #options: StreamsOptions
  readonly #environment: StreamsEnvironment
  readonly metrics: RuntimeMetrics
  readonly #restores: RestoreProgress
  readonly #stopping = new AbortController()
  #state: StreamsState = 'starting'
  #stopWithinMs = 30_000
  #worker: Worker | undefined
  #queries: StoreQueries | undefined
  #tables: GlobalTables | undefined
  #slots: ReadonlyMap<string, SinkSlots> = new Map()
  #run: Promise<void> | undefined
  #onReady: () => void = () => undefined

  constructor(topology: Topology, settings: StreamsSettings, environment: StreamsEnvironment) {
    this.#topology = topology
    this.#options = resolveStreamsOptions(settings)
    this.#environment = environment
    this.metrics = environment.metrics ?? new RuntimeMetrics()
    this.#restores = new RestoreProgress(environment.clock, environment.log)
  }

  get state(): StreamsState {
    return this.#state
  }

  /** In the group, and every assigned task is running. */
  get isReady(): boolean {
    return this.#state === 'running' && this.#worker?.isReady === true
  }

  /** How far the restores under way are; undefined when there is none. */
  get restoring(): RestoreState | undefined {
    return this.#restores.state
  }

  /** Names of the global tables that must be read to their end before any task runs. */
  get tablesWaitedFor(): readonly string[] {
    return this.#tables?.waitedFor ?? this.#topology.globalTables.map(({ name }) => name)
  }

  /** A global table as this instance has it just now. Throws INTERNAL while it is waited for, TOPOLOGY_INVALID where there is none. */
  readonly table: FindTable = definition => {
    if (this.#tables !== undefined) return this.#tables.find(definition)
    throw new StreamsError('INTERNAL', `the table '${definition.name}' has not been read yet`)
  }

  /** What can be asked about the stores; undefined until the topics are known. */
  get queries(): StoreQueries | undefined {
    return this.#queries
  }

  /** Called once, when the instance is ready for the first time. */
  onFirstReady(listener: () => void): void {
    this.#onReady = listener
  }

  /** Runs until `stop`; rejects with the error that ended it. What passes by itself is waited for. */
  run(): Promise<void> {
    this.#run ??= this.#runOnce()
    return this.#run
  }

  /** Drains and leaves within the time, milliseconds. Resolves when everything is closed. */
  async stop(withinMs = 30_000): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'running') this.#state = 'stopping'
    this.#stopWithinMs = withinMs
    this.#stopping.abort()
    this.#worker?.stop(withinMs)
    await this.#run?.catch(() => undefined)
  }

  async #runOnce(): Promise<void> {
    try {
      const started = await this.#start()
      if (started) {
        const { worker, following } = started
        await Promise.all([
          worker.run(),
          following.catch((error: unknown) => worker.fail(error as Error)),
          this.#watchReady(worker),
          this.#watchTopics(worker),
        ])
      }
      this.#state = 'stopped'
    } catch (error) {
      this.#state = 'failed'
      throw error
    } finally {
      this.#stopping.abort()
      for (const slots of this.#slots.values()) slots.close()
    }
  }

  async #start(): Promise<Started | undefined> {
    const { cluster, stateDirectory, journal, clock, random, log } = this.#environment
    const { applicationId, createTopicsHint, acceptLostState } = this.#options
    const catalog = await this.#patiently(async () => {
      await this.#options.mayStart(this.#stopping.signal)
      return prepareTopics({
        admin: cluster.admin,
        applicationId,
        topology: this.#topology,
        log,
        createTopicsHint,
        acceptLostState,
      })
    })
    if (catalog === undefined) return undefined
    stateDirectory.expectStores(
      storeCount(this.#topology, catalog, false),
      storeCount(this.#topology, catalog, true),
    )
    const tables = new GlobalTables(this.#topology.globalTables, {
      cluster,
      clock,
      log,
      metrics: this.metrics,
    })
    this.#tables = tables
    const following = tables.follow(this.#stopping.signal)
    // Whoever has tasks looks things up: the tables come first. Without them this instance is in no group.
    await Promise.race([tables.caughtUp(), following])
    if (tables.waitedFor.length > 0) return undefined
    const { advertisedHttp, instanceId, instanceSinceMs: sinceMs = clock.nowMs() } = this.#options
    const instances = new Instances(advertisedHttp, { instanceId, sinceMs })
    const slots = sinkSlots(this.#topology, clock, random, log)
    this.#slots = slots
    const worker = new Worker({
      options: this.#options,
      context: {
        applicationId,
        topology: this.#topology,
        catalog,
        cluster,
        table: tables.find,
        stateDirectory,
        clock,
        random,
        log,
        metrics: this.metrics,
        instances,
        journal,
        acceptLostState,
        restores: this.#restores,
        suspicion: new Suspicion(this.#environment.processingMarks ?? noProcessingMarks, log),
        slots,
      },
    })
    this.#worker = worker
    this.#queries = new StoreQueries({
      topology: this.#topology,
      catalog,
      instances,
      tasks: () => worker.tasks,
    })
    for (const evidence of journal.evidence) worker.commits.addEvidence(evidence)
    if (this.#stopping.signal.aborted) worker.stop(this.#stopWithinMs)
    else this.#state = 'running'
    return { worker, following }
  }

  /** Undefined when stopped meanwhile. */
  async #patiently<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { clock, log } = this.#environment
    const { signal } = this.#stopping
    const stopped = new Promise<undefined>(resolve => {
      signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    for (
      let delayMs = 500;
      !this.#stopping.signal.aborted;
      delayMs = Math.min(delayMs * 2, 30_000)
    ) {
      try {
        // A question to brokers that are away takes half a minute to give up: nobody who stops waits for that.
        return await Promise.race([call(), stopped])
      } catch (error) {
        if (!isPassing(error)) throw error
        log.warn({ event: 'broker-unreachable', delayMs }, describeError(error))
        await sleep(clock, delayMs, this.#stopping.signal)
      }
    }
    return undefined
  }

  async #watchTopics(worker: Worker): Promise<void> {
    const { cluster, clock, log } = this.#environment
    const { metrics } = this
    await watchTopics({
      admin: cluster.admin,
      catalog: worker.catalog,
      tableTopics: new Set(this.#topology.globalTables.map(({ topic }) => topic.name)),
      clock,
      log,
      metrics,
      tasks: () => worker.tasks,
      signal: this.#stopping.signal,
    }).catch((error: unknown) => worker.fail(error as Error))
  }

  async #watchReady(worker: Worker): Promise<void> {
    while (!this.#stopping.signal.aborted && !worker.isReady)
      await sleep(this.#environment.clock, 20, this.#stopping.signal)
    if (worker.isReady) this.#onReady()
  }

  /** Brings the gauges up to date: called when somebody asks for the metrics. */
  async observe(): Promise<void> {
    const tasks = this.#worker?.tasks ?? []
    const sizes = await Promise.all(tasks.flatMap(sizesOf))
    // Nothing is awaited from here on, so that nobody who asks at the same time sees half of it.
    this.metrics.stores.bytes.clear()
    for (const { bytes, ...labels } of sizes) this.metrics.stores.bytes.labels(labels).set(bytes)
    this.metrics.lag.clear()
    const states = new Map<string, number>()
    const totals = new Map<string, { inDoubt: number; waiting: number; open: number }>()
    for (const task of tasks) {
      states.set(task.state, (states.get(task.state) ?? 0) + 1)
      for (const [topic, queue] of task.queues)
        this.metrics.lag
          .labels({ topic, partition: task.partition })
          .set(Math.max(0, queue.highWatermark - queue.position))
      for (const [effect, engine] of task.engines) {
        const { inDoubt, waiting, open } = engine.counts()
        const sum = totals.get(effect) ?? { inDoubt: 0, waiting: 0, open: 0 }
        totals.set(effect, {
          inDoubt: sum.inDoubt + inDoubt,
          waiting: sum.waiting + waiting,
          open: sum.open + open,
        })
      }
    }
    this.metrics.stores.standbyLag.clear()
    for (const [task, lag] of this.#worker?.standbys.lags ?? []) {
      states.set('standby', (states.get('standby') ?? 0) + 1)
      this.metrics.stores.standbyLag.labels({ task }).set(lag)
    }
    for (const state of ['restoring', 'running', 'standby'])
      this.metrics.tasks.labels({ state }).set(states.get(state) ?? 0)
    for (const node of this.#topology.nodes) {
      if (node.kind !== 'effect') continue
      const sum = totals.get(node.name)
      const labels = { effect: node.name }
      this.metrics.inDoubt.labels(labels).set(sum?.inDoubt ?? 0)
      this.metrics.retriesWaiting.labels(labels).set(sum?.waiting ?? 0)
      this.metrics.openRequests.labels(labels).set(sum?.open ?? 0)
    }
    this.metrics.traffic.observe(this.#slots)
  }
}

interface Started {
  readonly worker: Worker
  /** Ends with the instance; rejects when a global table can no longer be followed. */
  readonly following: Promise<void>
}

/** The tries that may be under way at once, for each effect: a sink that is out of reach holds up no other. */
function sinkSlots(
  topology: Topology,
  clock: Clock,
  random: Random,
  log: Logger,
): ReadonlyMap<string, SinkSlots> {
  const slots = new Map<string, SinkSlots>()
  for (const node of topology.nodes) {
    if (node.kind !== 'effect') continue
    const { sink, traffic, outboxLimit: outbox } = node.definition as EffectDefinition
    const options = { traffic, outbox, rooms: sink.rooms, log }
    slots.set(node.name, new SinkSlots(sink.concurrencyMax, clock, random, options))
  }
  return slots
}

function sizesOf(task: Task): Promise<{ task: string; store: string; bytes: number }>[] {
  return [...task.stores.values()].map(async ({ backend, definition }) => ({
    task: task.id,
    store: definition.name,
    bytes: await backend.approximateBytes().catch(() => 0),
  }))
}
