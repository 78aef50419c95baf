import { sleep } from '../clock.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import { taskIdOf } from './task-group.ts'
import type { StandbyWork } from './instances.ts'
import type { CommittedRecordsFetcher, FetchedBatch } from './ports.ts'
import { isStop } from './restore.ts'
import { Standby } from './standby.ts'
import type { TaskContext } from './task-context.ts'
import { restoreFetch, type TaskStore } from './task-store.ts'

/** How often what failed is tried again, milliseconds. */
const retryAfterMs = 1000
/** A hand-over that did not take place although it was asked for is asked for again this late, milliseconds. */
const askAgainMs = 10_000

interface Followed {
  readonly standby: Standby
  /** Never rejects; true when its stores are open. */
  readonly opened: Promise<boolean>
}

/**
 * The copies that a worker keeps of other members' tasks, always committed data only. They follow their changelogs beside the
 * loop, which never waits for them: until a task is assigned here, and takes the open stores over.
 */
export class StandbyTasks {
  readonly #context: Omit<TaskContext, 'activeCycle'>
  readonly #acceptableLag: number
  readonly #followed = new Map<string, Followed>()
  readonly #wanted = new Set<string>()
  readonly #closing = new AbortController()
  #warmUps: ReadonlySet<string> = new Set()
  #askNotBeforeMs = -Infinity
  #fetcher: CommittedRecordsFetcher | undefined
  #following: Promise<void> | undefined
  #reopening: Promise<void> = Promise.resolve()
  #ready = (): void => undefined
  #failure: Error | undefined

  constructor(context: Omit<TaskContext, 'activeCycle'>, acceptableLag: number) {
    this.#context = context
    this.#acceptableLag = acceptableLag
  }

  /** How far each copy is, for the next assignment. */
  get positions(): Readonly<Record<string, number>> {
    const copies = [...this.#followed.values()].map(({ standby }) => standby)
    return Object.fromEntries(copies.map(({ taskId, position }) => [taskId, position]))
  }

  /** Changelog records that each copy is behind; Infinity for one that is not open yet. */
  get lags(): ReadonlyMap<string, number> {
    return new Map([...this.#followed].map(([taskId, { standby }]) => [taskId, standby.lag]))
  }

  /** Every warm-up has caught up: a new assignment would hand its task over. Throws what ends the instance. */
  get isHandOverDue(): boolean {
    if (this.#failure !== undefined) throw this.#failure
    return this.#isWarm && this.#context.clock.monotonicMs() >= this.#askNotBeforeMs
  }

  /** Follows these and no others. Those to be run here have been released before. */
  async follow({ standbys, warmUps }: Pick<StandbyWork, 'standbys' | 'warmUps'>): Promise<void> {
    const isRepeated = warmUps.some(taskId => this.#warmUps.has(taskId))
    this.#askNotBeforeMs = isRepeated ? this.#context.clock.monotonicMs() + askAgainMs : -Infinity
    this.#warmUps = new Set(warmUps)
    for (const taskId of this.#followed.keys())
      if (!standbys.includes(taskId)) await this.#end(taskId)
    this.#wanted.clear()
    for (const taskId of standbys) this.#wanted.add(taskId)
    if (this.#wanted.size === 0) return
    this.#fetcher ??= this.#context.cluster.createFetcher(restoreFetch)
    this.#beginWanted(this.#fetcher)
    // One loop: of two, each would apply what the other has not seen.
    this.#following ??= this.#followUntilClosed(this.#fetcher)
  }

  /** The open stores of a copy, for the task that is assigned here now; undefined where there is none. */
  async release(taskId: string): Promise<ReadonlyMap<string, TaskStore> | undefined> {
    this.#wanted.delete(taskId)
    await this.#reopening
    const followed = this.#followed.get(taskId)
    if (followed === undefined || this.#fetcher === undefined) return undefined
    this.#followed.delete(taskId)
    const isOpen = await followed.opened
    return isOpen ? followed.standby.release(this.#fetcher) : undefined
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#ready()
    await this.#following
    if (this.#fetcher === undefined) return
    try {
      await this.#endAll(this.#fetcher)
    } finally {
      await this.#fetcher.close()
    }
  }

  get #isWarm(): boolean {
    const isCaughtUp = (taskId: string): boolean =>
      (this.#followed.get(taskId)?.standby.lag ?? Infinity) <= this.#acceptableLag
    return this.#warmUps.size > 0 && [...this.#warmUps].every(isCaughtUp)
  }

  #beginWanted(fetcher: CommittedRecordsFetcher): void {
    if (this.#closing.signal.aborted) return
    for (const taskId of this.#wanted) if (!this.#followed.has(taskId)) this.#begin(taskId, fetcher)
  }

  #begin(taskId: string, fetcher: CommittedRecordsFetcher): void {
    const standby = this.#make(taskId)
    if (standby === undefined) return
    const opened = standby.open(fetcher).then(
      () => true,
      (error: unknown) => {
        this.#noteFailure(error, { event: 'standby-waits', task: taskId })
        if (this.#followed.get(taskId)?.standby === standby) this.#followed.delete(taskId)
        return false
      },
    )
    this.#followed.set(taskId, { standby, opened })
  }

  async #end(taskId: string): Promise<void> {
    this.#wanted.delete(taskId)
    await this.#reopening
    const followed = this.#followed.get(taskId)
    if (followed === undefined || this.#fetcher === undefined) return
    this.#followed.delete(taskId)
    if (await followed.opened) await followed.standby.close(this.#fetcher)
  }

  /** A leader of another release may know tasks that this one does not. */
  #make(taskId: string): Standby | undefined {
    const { topology, catalog } = this.#context
    for (const subTopology of topology.subTopologies)
      for (let partition = 0; partition < catalog.taskCount(subTopology); partition += 1)
        if (taskIdOf(subTopology.name, partition) === taskId)
          return new Standby(this.#context, taskId, subTopology, partition)
    return undefined
  }

  /** Never rejects: nobody waits for it before the end. */
  async #followUntilClosed(fetcher: CommittedRecordsFetcher): Promise<void> {
    const { signal } = this.#closing
    fetcher.onReady(() => this.#ready())
    while (!signal.aborted) {
      try {
        await this.#followSome(fetcher)
      } catch (error) {
        if (signal.aborted) return
        this.#noteFailure(error, { event: 'standbys-wait' })
        this.#reopening = this.#endAll(fetcher).catch((failure: unknown) =>
          this.#noteFailure(failure, { event: 'standbys-wait' }),
        )
        await this.#reopening
        await sleep(this.#context.clock, retryAfterMs, signal)
      }
    }
  }

  async #followSome(fetcher: CommittedRecordsFetcher): Promise<void> {
    const { clock, wake } = this.#context
    this.#beginWanted(fetcher)
    const batches = fetcher.poll()
    // Each is of another store: one after the other, most of the time would be waiting.
    const applied = await Promise.allSettled(batches.map(batch => this.#apply(batch)))
    for (const each of applied) if (each.status === 'rejected') throw each.reason as Error
    if (this.#isWarm) wake()
    if (batches.length > 0) return
    const quiet = new AbortController()
    this.#ready = () => quiet.abort()
    // The look again is for those that could not be opened, and for those without anything to read.
    await sleep(clock, retryAfterMs, quiet.signal)
  }

  async #apply(batch: FetchedBatch): Promise<void> {
    for (const { standby } of this.#followed.values()) if (await standby.apply(batch)) return
  }

  /**
   * Batches that were polled and not applied would leave a hole: every copy begins again where its disk is. All of them are
   * closed before it rejects with what the first of them failed with.
   */
  async #endAll(fetcher: CommittedRecordsFetcher): Promise<void> {
    const all = [...this.#followed.values()]
    this.#followed.clear()
    const failures: unknown[] = []
    for (const { standby, opened } of all)
      if (await opened) await standby.close(fetcher).catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0] as Error
  }

  /** What passes is waited for; what does not ends the instance, as it would for a task of its own. A changelog that was cut is read from where it begins. */
  #noteFailure(error: unknown, fields: { readonly event: string; readonly task?: string }): void {
    const { log, wake } = this.#context
    if (this.#closing.signal.aborted) return
    log.warn(fields, describeError(error))
    if (!isStop(error) || errorCodeOf(error) === 'OFFSET_OUT_OF_RANGE') return
    this.#failure = error instanceof Error ? error : new Error(String(error))
    wake()
  }
}
