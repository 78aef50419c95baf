import { describeError, errorCodeOf, StreamsError } from '../errors.ts'
import { sleep } from '../clock.ts'
import { assignmentProtocol, assignTasks, encodeMemberState, taskIdOf } from './assignor.ts'
import { CommitPipeline } from './commit-pipeline.ts'
import type {
  CommittedRecordsFetcher,
  GroupAssignment,
  GroupGeneration,
  GroupMember,
  TransactionalProducer,
} from './ports.ts'
import { isPassing, restoreTask } from './restore.ts'
import type { StreamsOptions } from './streams-options.ts'
import { Task } from './task.ts'
import type { TaskContext } from './task-context.ts'
import { TaskProcessing } from './task-processing.ts'
import { sourceNames } from './topic-catalog.ts'
import { WakeSignal } from './wake-signal.ts'

interface Owned {
  readonly task: Task
  readonly processing: TaskProcessing
  /** Undefined while no restore is under way. */
  restore: Promise<void> | undefined
}

const recordsPerTurn = 500
const queuedMax = 5000
/** Replies of performed attempts are waited for this long before a partition is given up; below every session time-out. */
const restBeforeJoinMs = 5000
/** Times in a row that another producer with our transactional id may fence us before we give way. */
const fencedMax = 3
const fencedWindowMs = 60_000

export interface WorkerParts {
  readonly options: StreamsOptions
  readonly context: Omit<TaskContext, 'activeCycle' | 'wake' | 'onLateFact' | 'incarnation'>
  readonly index: number
}

/**
 * One group member, one transactional producer, its tasks, and the one loop that drives them. Nothing here happens in a
 * callback: whoever has news wakes the loop, and the loop looks.
 */
export class Worker {
  readonly #parts: WorkerParts
  readonly #wake: WakeSignal
  readonly #context: TaskContext
  readonly #member: GroupMember
  readonly #producer: TransactionalProducer
  readonly #fetcher: CommittedRecordsFetcher
  readonly #commits: CommitPipeline
  readonly #owned = new Map<string, Owned>()
  readonly #paused = new Set<string>()
  readonly #stopping = new AbortController()
  #fencedAtMs: number[] = []
  #joined = false
  /** The generation whose assignment we work under. */
  #assignedIn: GroupGeneration | undefined
  #turns = 0
  #nextSweepMs = 0
  #stopDeadlineMs = Infinity

  constructor(parts: WorkerParts) {
    this.#parts = parts
    const { options, context, index } = parts
    const { cluster, clock, applicationId, random } = context
    const incarnation = random.uuid().slice(0, 8)
    this.#wake = new WakeSignal(clock)
    this.#producer = cluster.createProducer({
      transactionalId: `${applicationId}-${options.instanceId}-${index}`,
      transactionTimeoutMs: options.transactionTimeoutMs,
    })
    this.#commits = new CommitPipeline({
      producer: this.#producer,
      clock,
      metrics: context.metrics,
      journal: context.journal,
      incarnation,
      wake: this.#wake.wake,
      commitIntervalMs: options.commitIntervalMs,
    })
    this.#context = {
      ...context,
      incarnation,
      activeCycle: () => this.#commits.active,
      wake: this.#wake.wake,
      onLateFact: (address, fact) =>
        this.#commits.addEvidence({
          ...address,
          identity: fact.identity,
          token: fact.token,
          outcome: fact.outcome.kind,
          reply: fact.outcome.reply,
          atMs: fact.atMs,
        }),
    }
    this.#member = cluster.createMember({
      groupId: applicationId,
      groupInstanceId: options.staticMembership ? `${options.instanceId}-${index}` : null,
      topics: context.topology.subTopologies.flatMap(each => sourceNames(applicationId, each)),
      protocolName: assignmentProtocol,
      assignor: members => Promise.resolve(assignTasks(this.#groups(), members)),
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      heartbeatIntervalMs: Math.floor(options.sessionTimeoutMs / 3),
    })
    this.#member.onChange(this.#wake.wake)
    this.#fetcher = cluster.createFetcher(options.fetch)
    this.#fetcher.onReady(this.#wake.wake)
    context.slots.onFree(this.#wake.wake)
  }

  /** In the group, and every assigned task is running. */
  get isReady(): boolean {
    return (
      this.#joined &&
      !this.#stopping.signal.aborted &&
      [...this.#owned.values()].every(({ task }) => task.state === 'running')
    )
  }

  get tasks(): readonly Task[] {
    return [...this.#owned.values()].map(each => each.task)
  }

  /** Evidence of an earlier life, to be published with the first commit. */
  get commits(): CommitPipeline {
    return this.#commits
  }

  wake(): void {
    this.#wake.wake()
  }

  /** Drains, then ends `run`: within the time-out, measured from now. */
  stop(timeoutMs: number): void {
    this.#stopDeadlineMs = this.#context.clock.monotonicMs() + timeoutMs
    this.#stopping.abort()
    this.#wake.wake()
  }

  /** Runs until `stop`, or rejects with the error that stops the instance. */
  async run(): Promise<void> {
    const { log, clock } = this.#context
    try {
      await this.#untilReachable(() => this.#producer.init())
      while (!this.#stopping.signal.aborted) {
        await this.#turn().catch((error: unknown) => this.#recover(error))
      }
      await this.#drain().catch((error: unknown) =>
        log.warn({ event: 'drain-failed' }, describeError(error)),
      )
    } finally {
      await this.#member
        .leave(false)
        .catch((error: unknown) => log.warn({ event: 'leave-failed' }, describeError(error)))
      for (const owned of this.#owned.values()) await this.#close(owned)
      await Promise.all([this.#fetcher.close(), this.#producer.close(), this.#member.close()])
      log.info({ event: 'worker-stopped', monotonicMs: clock.monotonicMs() }, 'worker stopped')
    }
  }

  // ------------------------------------------------------------ the loop

  async #turn(): Promise<void> {
    await this.#commits.finish()
    await this.#followGroup()
    if (this.#stopping.signal.aborted) return
    const running = this.#running()
    const processed = await this.#ingest(running)
    const urgent = this.#turnEffects(running)
    await this.#punctuate(running)
    const generation = this.#member.generation
    const delayMs =
      generation === undefined
        ? Infinity
        : this.#commits.startIfDue({
            tasks: running.map(each => each.task),
            generation,
            urgent,
            quiet: processed === 0,
          })
    if (processed > 0) return
    await this.#wake.wait(Math.min(delayMs, this.#nextTimerMs(running), 1000))
  }

  #running(): Owned[] {
    return [...this.#owned.values()].filter(({ task }) => task.state === 'running')
  }

  /** Gives every task its turn; a batch from each in rotation. Returns the records processed. */
  async #ingest(running: readonly Owned[]): Promise<number> {
    if (this.#commits.isFull) return 0
    this.#poll(running)
    let processed = 0
    this.#turns += 1
    for (let index = 0; index < running.length; index += 1) {
      const { processing } = running[(index + this.#turns) % running.length]!
      processed += await processing.processSome(recordsPerTurn)
      if (this.#commits.isFull) break
    }
    return processed
  }

  #poll(running: readonly Owned[]): void {
    for (const { task } of running)
      for (const { topic, partition } of task.sources) {
        const key = `${topic}/${partition}`
        const size = task.queues.get(topic)?.size ?? 0
        const isFull = [...task.engines.values()].some(engine => engine.isFull)
        const pause =
          size > queuedMax || (isFull && !topic.startsWith(`${this.#context.applicationId}-`))
        if (pause === this.#paused.has(key) || (!pause && size > queuedMax / 5)) continue
        if (pause) this.#fetcher.pause({ topic, partition })
        else this.#fetcher.resume({ topic, partition })
        if (pause) this.#paused.add(key)
        else this.#paused.delete(key)
      }
    let queued = 0
    for (const { task } of running) queued += task.queuedRecords
    if (queued > queuedMax) return
    for (const batch of this.#fetcher.poll())
      this.#ownerOf(batch.topic, batch.partition)?.enqueue(batch)
  }

  #ownerOf(topic: string, partition: number): Task | undefined {
    for (const { task } of this.#owned.values())
      if (task.partition === partition && task.queues.has(topic) && task.state === 'running')
        return task
    return undefined
  }

  #turnEffects(running: readonly Owned[]): boolean {
    let urgent = false
    for (let index = 0; index < running.length; index += 1) {
      const { task } = running[(index + this.#turns) % running.length]!
      for (const node of task.effects) {
        const engine = task.engines.get(node.name)!
        urgent = engine.turn(task.graph.emitter(node)) || urgent
      }
    }
    return urgent
  }

  async #punctuate(running: readonly Owned[]): Promise<void> {
    const nowMs = this.#context.clock.monotonicMs()
    for (const { processing } of running) await processing.punctuate()
    if (nowMs < this.#nextSweepMs) return
    this.#nextSweepMs = nowMs + 100
    for (const { task } of running) await task.sweep()
  }

  #nextTimerMs(running: readonly Owned[]): number {
    let delayMs = Infinity
    for (const { task, processing } of running) {
      delayMs = Math.min(delayMs, processing.nextPunctuationMs())
      for (const engine of task.engines.values()) delayMs = Math.min(delayMs, engine.nextDelayMs())
    }
    return delayMs
  }

  // ------------------------------------------------------------ the group

  async #followGroup(): Promise<void> {
    const { status, failure } = this.#member
    if (status === 'stopped')
      throw failure ?? new StreamsError('INTERNAL', 'the group member stopped')
    if (status === 'lost') await this.#loseAll('the group went on without this instance')
    if (status !== 'joined') await this.#join()
    this.#adoptRestored()
  }

  /** Brings everything to rest, commits it, joins, and takes what is assigned. */
  async #join(): Promise<void> {
    const { log } = this.#context
    this.#joined = false
    if (this.#owned.size > 0) await this.#rest(restBeforeJoinMs)
    if (this.#member.status === 'lost')
      await this.#loseAll('the group went on while this instance came to rest')
    const userData = encodeMemberState({ tasks: [...this.#owned.keys()] })
    const assignment = await this.#member.join(userData, this.#stopping.signal)
    await this.#dropStale()
    const tasks = this.#tasksOf(assignment)
    const revoked = [...this.#owned.keys()].filter(id => !tasks.has(id))
    for (const id of revoked) await this.#close(this.#owned.get(id)!)
    for (const [id, make] of tasks) if (!this.#owned.has(id)) this.#open(make())
    for (const { task } of this.#owned.values())
      for (const engine of task.engines.values()) engine.resume()
    this.#joined = true
    log.info(
      {
        event: 'assigned',
        generation: this.#member.generation?.generationId,
        tasks: [...this.#owned.keys()],
        revoked,
      },
      'tasks assigned',
    )
  }

  /**
   * A task may stay only from one generation to the very next one of the same member. If a generation lies between (a join whose
   * answer was lost, an expulsion), somebody else may have owned the task in it, and what this instance holds of
   * it is old: the leader hands such a task back in good faith, because we said that we have it.
   */
  async #dropStale(): Promise<void> {
    const before = this.#assignedIn
    const now = this.#member.generation
    this.#assignedIn = now
    const isNext =
      now?.memberId === before?.memberId &&
      (now?.generationId ?? 0) <= (before?.generationId ?? 0) + 1
    if (isNext) return
    for (const owned of this.#owned.values()) await this.#close(owned)
  }

  /** Undoes what can be undone, waits for what cannot, commits it. Gives up after the time: what is silent stays an ATTEMPT. */
  async #rest(withinMs: number): Promise<void> {
    const { clock } = this.#context
    const deadlineMs = clock.monotonicMs() + withinMs
    const running = this.#running()
    const engines = running.flatMap(({ task }) => [...task.engines.values()])
    for (const engine of engines) engine.rest()
    for (;;) {
      await this.#commits.finish()
      const { generation, status } = this.#member
      if (generation === undefined || status === 'lost' || status === 'stopped') return
      this.#turnEffects(running)
      const delayMs = this.#commits.startIfDue({
        tasks: running.map(each => each.task),
        generation,
        urgent: true,
        quiet: true,
      })
      const awaited = engines.some(engine => engine.performingCount > 0 || engine.hasUnwritten)
      const leftMs = deadlineMs - clock.monotonicMs()
      if (
        !this.#commits.isBusy &&
        !this.#commits.hasContent(running.map(each => each.task)) &&
        (!awaited || leftMs <= 0)
      )
        return
      await this.#wake.wait(Math.min(delayMs, Math.max(leftMs, 50)))
    }
  }

  #tasksOf(assignment: GroupAssignment): Map<string, () => Task> {
    const tasks = new Map<string, () => Task>()
    for (const subTopology of this.#context.topology.subTopologies) {
      const [first] = sourceNames(this.#context.applicationId, subTopology)
      for (const { topic, partition } of assignment.partitions)
        if (topic === first)
          tasks.set(
            taskIdOf(subTopology.name, partition),
            () => new Task(this.#context, subTopology, partition),
          )
    }
    return tasks
  }

  #groups(): Parameters<typeof assignTasks>[0] {
    const { topology, applicationId, catalog } = this.#context
    return topology.subTopologies.map(each => ({
      name: each.name,
      topics: sourceNames(applicationId, each),
      partitions: catalog.taskCount(each),
    }))
  }

  // ------------------------------------------------------------ tasks

  #open(task: Task): void {
    const owned: Owned = { task, processing: new TaskProcessing(task), restore: undefined }
    this.#owned.set(task.id, owned)
    this.#restore(owned)
  }

  #restore(owned: Owned): void {
    owned.task.moveTo('restoring')
    const { log, clock } = this.#context
    const { signal } = owned.task.leaving
    const attempt = async (): Promise<void> => {
      for (let delayMs = 200; !signal.aborted; delayMs = Math.min(delayMs * 2, 10_000)) {
        try {
          await restoreTask(owned.task)
          return
        } catch (error) {
          if (!isPassing(error)) throw error
          log.warn({ event: 'restore-waits', task: owned.task.id, delayMs }, describeError(error))
          await sleep(clock, delayMs, signal)
        }
      }
    }
    owned.restore = attempt().finally(this.#wake.wake)
    owned.restore.catch(() => undefined)
    void this.#watch(owned)
  }

  readonly #restored = new Set<Owned>()
  #restoreFailure: Error | undefined

  async #watch(owned: Owned): Promise<void> {
    try {
      await owned.restore
      if (!owned.task.leaving.signal.aborted) this.#restored.add(owned)
    } catch (error) {
      this.#restoreFailure = error instanceof Error ? error : new Error(String(error))
    }
    this.#wake.wake()
  }

  /** Tasks whose restore has ended begin to run: between two turns, where nothing else looks at them. */
  #adoptRestored(): void {
    if (this.#restoreFailure !== undefined) throw this.#restoreFailure
    for (const owned of this.#restored) {
      this.#restored.delete(owned)
      const { task } = owned
      if (this.#owned.get(task.id) !== owned || task.state !== 'restoring') continue
      task.moveTo('running')
      owned.restore = undefined
      for (const at of task.sources) {
        this.#paused.delete(`${at.topic}/${at.partition}`)
        this.#fetcher.assign(at, task.queues.get(at.topic)!.position)
        this.#fetcher.resume(at)
      }
      for (const engine of task.engines.values()) engine.resume()
    }
  }

  async #close(owned: Owned): Promise<void> {
    const { task } = owned
    this.#owned.delete(task.id)
    this.#restored.delete(owned)
    task.leaving.abort()
    for (const at of task.sources) this.#fetcher.unassign(at)
    for (const engine of task.engines.values()) engine.close()
    await owned.restore?.catch(() => undefined)
    await task.closeStores()
    task.moveTo('closed')
  }

  /** Nothing of what is uncommitted may ever commit: the producer is initialised, every task is dropped. */
  async #loseAll(reason: string): Promise<void> {
    this.#context.log.warn(
      { event: 'tasks-lost', tasks: [...this.#owned.keys()] },
      `${reason}: all tasks are dropped and the group is joined again`,
    )
    this.#joined = false
    await this.#commits.abandon(this.#running().map(each => each.task))
    for (const owned of this.#owned.values()) await this.#close(owned)
    await this.#untilReachable(() => this.#producer.init())
  }

  // ------------------------------------------------------------ failures

  /**
   * A failed cycle. Whether it committed is not asked here: the producer's `init` decides it, and then every task is brought to
   * what the cluster says, like a task that has just arrived.
   */
  async #recover(first: unknown): Promise<void> {
    for (let error = first; error !== undefined;)
      error = await this.#recoverFrom(error).then(
        () => undefined,
        (next: unknown) => {
          if (next === error || isStop(next)) throw next
          return next
        },
      )
  }

  async #recoverFrom(error: unknown): Promise<void> {
    const { log, metrics, clock } = this.#context
    const code = errorCodeOf(error) ?? 'INTERNAL'
    if (code === 'CLOSED' && this.#stopping.signal.aborted) return
    metrics.commitFailures.labels({ code }).inc()
    if (isStop(error)) throw error
    log.warn(
      { event: 'cycle-failed', code },
      `${describeError(error)}: everything since the last commit is processed again`,
    )
    if (code === 'TRANSACTION_FENCED') this.#countFence(error)
    if (code === 'GROUP_FENCED') {
      await this.#loseAll(describeError(error))
      await this.#join()
      return
    }
    const running = this.#running()
    await this.#commits.abandon(running.map(each => each.task))
    for (const owned of running) for (const at of owned.task.sources) this.#fetcher.unassign(at)
    await sleep(clock, 20)
    await this.#untilReachable(() => this.#producer.init())
    for (const owned of running) this.#restore(owned)
  }

  #countFence(error: unknown): void {
    const nowMs = this.#context.clock.monotonicMs()
    this.#fencedAtMs = [...this.#fencedAtMs.filter(at => nowMs - at < fencedWindowMs), nowMs]
    if (this.#fencedAtMs.length >= fencedMax)
      throw new StreamsError(
        'INSTANCE_ID_IN_USE',
        `another live process uses the instance id ${this.#parts.options.instanceId}: give each instance its own --instance-id and --state-dir`,
        { cause: error },
      )
  }

  async #untilReachable(call: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#context
    for (let delayMs = 200; ; delayMs = Math.min(delayMs * 2, 10_000)) {
      try {
        await call()
        return
      } catch (error) {
        if (!isPassing(error) || this.#stopping.signal.aborted) throw error
        log.warn({ event: 'broker-unreachable', delayMs }, describeError(error))
        await sleep(clock, delayMs, this.#stopping.signal)
      }
    }
  }

  /** Two seconds of the time-out are left for leaving the group and closing the stores. */
  async #drain(): Promise<void> {
    const leftMs = this.#stopDeadlineMs - this.#context.clock.monotonicMs() - 2000
    await this.#rest(Math.max(leftMs, 0))
  }
}

/** Nothing that is tried again would help. */
function isStop(error: unknown): boolean {
  return !(error instanceof StreamsError) || error.recovery === 'stop' || error.recovery === 'skip'
}
