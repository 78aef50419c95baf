import { sleep } from '../clock.ts'
import { evidenceOfFact } from '../effects/journal.ts'
import { describeError, errorCodeOf, StreamsError } from '../errors.ts'
import { assignmentProtocol } from './assignor.ts'
import { CommitPipeline } from './commit-pipeline.ts'
import { type Committer, openCommitter } from './committer.ts'
import { FenceLimit } from './fence-limit.ts'
import { InputFeed } from './input-feed.ts'
import { sayLastWords } from './last-words.ts'
import { type OwnedTask, OwnedTasks } from './owned-tasks.ts'
import type { CommittedRecordsFetcher, GroupGeneration, GroupMember } from './ports.ts'
import { decodeStandbyWork } from './instances.ts'
import { isPassing, isStop } from './restore.ts'
import { hasMovingEffects, nextTimerMs, turnEffects } from './running-tasks.ts'
import { StandbyTasks } from './standby-tasks.ts'
import type { StreamsOptions } from './streams-options.ts'
import { Sweeper } from './sweeper.ts'
import { SingleFile } from './single-file.ts'
import type { Task } from './task.ts'
import { assignorOf, tasksOf } from './task-assignment.ts'
import type { TaskContext } from './task-context.ts'
import { sourceNames, type TopicCatalog } from './topic-catalog.ts'
import { untilReachable } from './until-reachable.ts'
import { WakeSignal } from './wake-signal.ts'

/** Replies of performed attempts are waited for this long before a partition is given up; below every session time-out. */
const restBeforeJoinMs = 5000
/** Whoever takes a task over stands still until the last member has heard that it asks for it, milliseconds. */
const closeHeartbeatMs = 200

export interface WorkerParts {
  readonly options: StreamsOptions
  readonly context: Omit<TaskContext, 'activeCycle' | 'wake' | 'onLateFact' | 'incarnation'>
}

/**
 * One group member, one producer, its tasks, and the one loop that drives them. Nothing here happens in a
 * callback: whoever has news wakes the loop, and the loop looks.
 */
export class Worker {
  readonly #wake: WakeSignal
  readonly #context: TaskContext
  readonly #member: GroupMember
  readonly #committer: Committer
  readonly #fetcher: CommittedRecordsFetcher
  readonly #commits: CommitPipeline
  readonly #owned: OwnedTasks
  readonly #standbys: StandbyTasks
  readonly #feed: InputFeed
  readonly #stopping = new AbortController()
  readonly #fences: FenceLimit
  readonly #singleFile: SingleFile
  #failure: Error | undefined
  #joined = false
  /** The generation whose assignment we work under. */
  #assignedIn: GroupGeneration | undefined
  #turns = 0
  readonly #sweeper = new Sweeper()
  #stopDeadlineMs = Infinity

  constructor(parts: WorkerParts) {
    const { options, context } = parts
    const { workerIndex: index } = options
    const { cluster, clock, applicationId, random } = context
    const incarnation = random.uuid().slice(0, 8)
    this.#wake = new WakeSignal(clock)
    this.#fences = new FenceLimit(clock, options.instanceId)
    this.#singleFile = new SingleFile(context.suspicion, context.log)
    this.#committer = openCommitter(cluster, options.guarantee, {
      transactionalId: `${applicationId}-${options.instanceId}-${index}`,
      transactionTimeoutMs: options.transactionTimeoutMs,
    })
    this.#commits = new CommitPipeline({
      committer: this.#committer,
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
      onLateFact: (address, fact) => this.#commits.addEvidence(evidenceOfFact(address, fact)),
    }
    this.#member = cluster.createMember({
      groupId: applicationId,
      groupInstanceId: options.staticMembership ? `${options.instanceId}-${index}` : null,
      topics: context.topology.subTopologies.flatMap(each => sourceNames(applicationId, each)),
      protocolName: assignmentProtocol,
      assignor: assignorOf(context, options),
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      heartbeatIntervalMs: Math.floor(options.sessionTimeoutMs / 3),
    })
    this.#member.onChange(this.#wake.wake)
    this.#fetcher = cluster.createFetcher(options.fetch)
    this.#fetcher.onReady(this.#wake.wake)
    for (const slots of context.slots.values()) slots.onFree(this.#wake.wake)
    this.#owned = new OwnedTasks(this.#context, this.#fetcher)
    this.#standbys = new StandbyTasks(this.#context, options.acceptableLag)
    this.#feed = new InputFeed(this.#fetcher, this.#owned)
  }

  /** In the group, and every assigned task is running. */
  get isReady(): boolean {
    return (
      this.#joined &&
      !this.#stopping.signal.aborted &&
      this.#owned.tasks.every(task => task.state === 'running')
    )
  }

  get tasks(): readonly Task[] {
    return this.#owned.tasks
  }

  get standbys(): StandbyTasks {
    return this.#standbys
  }

  get catalog(): TopicCatalog {
    return this.#context.catalog
  }

  /** Evidence of an earlier life, to be published with the first commit. */
  get commits(): CommitPipeline {
    return this.#commits
  }

  /** Ends `run` with this error. */
  fail(error: Error): void {
    this.#failure = error
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
    this.#joined = false
    const { log } = this.#context
    let failure: unknown
    try {
      await this.#untilReachable(() => this.#committer.init())
      while (!this.#stopping.signal.aborted) {
        await this.#turn().catch((error: unknown) => this.#recover(error))
      }
      await this.#drain().catch((error: unknown) => {
        failure = error
        log.warn({ event: 'drain-failed' }, describeError(error))
      })
    } catch (error) {
      failure = error
      if (!this.#isToldToStop(error)) throw error
    } finally {
      await this.#close(failure)
    }
  }

  async #close(failure: unknown): Promise<void> {
    const { log, clock } = this.#context
    this.#joined = false
    const warn = (event: string) => (error: unknown) => log.warn({ event }, describeError(error))
    const engines = this.#owned.tasks.flatMap(task => [...task.engines.values()])
    await this.#member.leave(false).catch(warn('leave-failed'))
    await this.#owned.closeAll().catch(warn('close-failed'))
    await this.#standbys.close().catch(warn('close-failed'))
    await sayLastWords({ failure, engines, commits: this.#commits, clock, log })
    await Promise.all([this.#fetcher.close(), this.#committer.close(), this.#member.close()])
    log.info({ event: 'worker-stopped', monotonicMs: clock.monotonicMs() }, 'worker stopped')
  }

  // ------------------------------------------------------------ the loop

  async #turn(): Promise<void> {
    if (this.#failure) throw this.#failure
    await this.#commits.finish()
    await this.#followGroup()
    if (this.#stopping.signal.aborted) return
    const running = this.#owned.running
    const processed = await this.#ingest()
    const isAlone = this.#singleFile.isOn && processed > 0
    const urgent = isAlone || turnEffects(running, this.#turns)
    if (!isAlone) await this.#punctuate(running)
    const generation = this.#member.generation
    const delayMs =
      generation === undefined
        ? Infinity
        : this.#commits.startIfDue({
            tasks: running.map(each => each.task),
            generation,
            urgent,
            quiet: processed === 0,
            growing: hasMovingEffects(running),
          })
    if (processed > 0) return
    await this.#wake.wait(Math.min(delayMs, nextTimerMs(running), 1000))
  }

  async #ingest(): Promise<number> {
    this.#turns += 1
    const commits = this.#commits
    const tasks = this.#owned.running.map(each => each.task)
    const isFull = (): boolean => commits.isFull(tasks)
    if (isFull()) return 0
    if (!this.#singleFile.isOn) return this.#feed.process(this.#turns, isFull)
    if (commits.isBusy || commits.hasContent(tasks)) return 0
    const processed = await this.#feed.process(this.#turns, () => commits.active.records > 0, 1)
    if (processed > 0) this.#singleFile.took(commits.active)
    return processed
  }

  async #punctuate(running: readonly OwnedTask[]): Promise<void> {
    const nowMs = this.#context.clock.monotonicMs()
    for (const { processing } of running)
      if (processing.isPunctuationDue) await processing.punctuate()
    await this.#sweeper.step(running, nowMs)
  }

  // ------------------------------------------------------------ the group

  async #followGroup(): Promise<void> {
    const { status, failure } = this.#member
    if (status === 'stopped')
      throw failure ?? new StreamsError('INTERNAL', 'the group member stopped')
    if (status === 'lost') await this.#loseAll('the group went on without this instance')
    if (status !== 'joined' || this.#standbys.isHandOverDue) await this.#join()
    this.#owned.adoptRestored()
  }

  /** Brings everything to rest, commits it, joins, and takes what is assigned. */
  async #join(): Promise<void> {
    const { log } = this.#context
    this.#joined = false
    if (this.#owned.all.length > 0) await this.#rest(restBeforeJoinMs)
    if (this.#member.status === 'lost')
      await this.#loseAll('the group went on while this instance came to rest')
    const { instances, stateDirectory } = this.#context
    const userData = instances.memberState({
      tasks: this.#owned.ids,
      positions: this.#standbys.positions,
      onDisk: await stateDirectory.taskIds(),
    })
    const assignment = await this.#member.join(userData, this.#stopping.signal)
    instances.learn(assignment.userData)
    await this.#dropStale()
    const tasks = tasksOf(assignment, this.#context)
    const revoked = this.#owned.all.filter(({ task }) => !tasks.has(task.id))
    for (const owned of revoked) await this.#owned.close(owned)
    for (const [id, make] of tasks)
      if (!this.#owned.has(id)) this.#owned.open(make(), await this.#standbys.release(id))
    const work = decodeStandbyWork(assignment.userData)
    if (work.isMoving) this.#member.expectRebalance(closeHeartbeatMs)
    await this.#standbys.follow(work)
    for (const task of this.#owned.tasks)
      for (const engine of task.engines.values()) engine.resume()
    this.#joined = true
    log.info(
      {
        event: 'assigned',
        generation: this.#member.generation?.generationId,
        tasks: this.#owned.ids,
        revoked: revoked.map(({ task }) => task.id),
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
    await this.#owned.closeAll()
  }

  /** Undoes what can be undone, waits for what cannot, commits it. Gives up after the time: what is silent stays an ATTEMPT. */
  async #rest(withinMs: number): Promise<void> {
    const { clock } = this.#context
    const deadlineMs = clock.monotonicMs() + withinMs
    const running = this.#owned.running
    const engines = running.flatMap(({ task }) => [...task.engines.values()])
    for (const engine of engines) engine.rest()
    for (;;) {
      await this.#commits.finish()
      const { generation, status } = this.#member
      if (generation === undefined || status === 'lost' || status === 'stopped') return
      turnEffects(running, this.#turns)
      const delayMs = this.#commits.startIfDue({
        tasks: running.map(each => each.task),
        generation,
        urgent: true,
        quiet: true,
        growing: false,
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

  /** Nothing of what is uncommitted may ever commit: the producer is initialised, every task is dropped. */
  async #loseAll(reason: string): Promise<void> {
    this.#context.log.warn(
      { event: 'tasks-lost', tasks: this.#owned.ids },
      `${reason}: all tasks are dropped and the group is joined again`,
    )
    this.#joined = false
    await this.#commits.abandon(this.#owned.running.map(each => each.task))
    await this.#owned.closeAll()
    await this.#untilReachable(() => this.#committer.init())
  }

  // ------------------------------------------------------------ failures

  /**
   * A failed cycle. Whether it committed is not asked here: the producer's `init` decides it, and then every task is brought to
   * what the cluster says, like a task that has just arrived.
   */
  async #recover(first: unknown): Promise<void> {
    for (let error = first; ;) {
      try {
        return await this.#recoverFrom(error)
      } catch (next) {
        if (next === error || this.#isToldToStop(next)) throw next
        error = next
      }
    }
  }

  /** An error while stopping that only says that it still waited, for the group or the cluster. */
  #isToldToStop(error: unknown): boolean {
    return this.#stopping.signal.aborted && (isPassing(error) || errorCodeOf(error) === 'CLOSED')
  }

  async #recoverFrom(error: unknown): Promise<void> {
    const { log, metrics, clock } = this.#context
    const code = errorCodeOf(error) ?? 'INTERNAL'
    if (code === 'CLOSED' && this.#stopping.signal.aborted) return
    metrics.commitFailures.labels({ code }).inc()
    if (error instanceof StreamsError && code === 'RECORD_TOO_LARGE')
      this.#singleFile.tooLarge(error, this.#commits.committing, this.#commits.active)
    else if (isStop(error)) throw error
    log.warn(
      { event: 'cycle-failed', code },
      `${describeError(error)}: everything since the last commit is processed again`,
    )
    if (code === 'TRANSACTION_FENCED') this.#fences.note(error)
    if (code === 'GROUP_FENCED') {
      await this.#loseAll(describeError(error))
      await this.#join()
      return
    }
    const running = this.#owned.running
    await this.#commits.abandon(running.map(each => each.task))
    await sleep(clock, 20)
    await this.#untilReachable(() => this.#committer.init())
    for (const owned of running) this.#owned.restore(owned)
  }

  #untilReachable(call: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#context
    return untilReachable({ clock, log, signal: this.#stopping.signal }, call)
  }

  /** Two seconds of the time-out are left for leaving the group and closing the stores. */
  async #drain(): Promise<void> {
    const leftMs = this.#stopDeadlineMs - this.#context.clock.monotonicMs() - 2000
    await this.#rest(Math.max(leftMs, 0))
  }
}
