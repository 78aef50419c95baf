import { type Cancel, type Clock, sleep } from '../clock.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type MetricSnapshot, mergeMetrics } from '../metric-snapshot.ts'
import type { Health } from './http-server.ts'
import { mergeAnswers } from './merge-answers.ts'
import type { QueryAnswer } from './request-queries.ts'
import { RunningThread } from './running-thread.ts'
import type { ThreadPort } from './thread-messages.ts'

export interface ThreadSupervisorOptions {
  readonly threads: number
  readonly startThread: (index: number) => ThreadPort
  /** Once, when all threads are ready for the first time. */
  readonly onFirstReady: () => void
  /** How long the others may take to come to rest after one has ended, milliseconds. */
  readonly restMs: number
  readonly clock: Clock
  readonly log: Logger
}

const readyLookMs = 50

/**
 * Runs threads that are one instance: they start together and end together. One that ends by itself ends all, in order: who goes on
 * with a part of itself hides that a part of its work stands still. Starting again is for whoever watches the process.
 */
export class ThreadSupervisor {
  readonly #options: ThreadSupervisorOptions
  readonly #threads: RunningThread[] = []
  /** What each thread last told, by index: it may be gone, or busy, when somebody asks. */
  readonly #measured = new Map<number, readonly MetricSnapshot[]>()
  #stopWithinMs: number | undefined

  constructor(options: ThreadSupervisorOptions) {
    this.#options = options
  }

  /** Resolves when all have stopped because they were told to; rejects with what ended the first, when the others are gone too. */
  async run(): Promise<void> {
    const { threads, startThread, clock } = this.#options
    for (let index = 0; index < threads; index += 1)
      this.#threads.push(new RunningThread(index, startThread(index), clock))
    if (this.#stopWithinMs !== undefined) this.stop(this.#stopWithinMs)
    const cancelLook = this.#lookForReady()
    try {
      await Promise.all(this.#threads.map(each => each.ended))
    } catch (error) {
      await this.#endOthers(error)
      throw error
    } finally {
      cancelLook()
    }
  }

  stop(withinMs: number): void {
    this.#stopWithinMs = withinMs
    for (const thread of this.#threads) thread.stop(withinMs)
  }

  /** Ready when all are. What is said is about the first that is not as it should be. */
  health(): Health {
    const all = this.#threads.map(thread => ({ index: thread.index, ...thread.health() }))
    const odd = all.find(each => !each.healthy) ?? all.find(each => !each.ready)
    if (odd === undefined) return { healthy: true, ready: all.length > 0, text: 'running' }
    const { index, healthy, ready, text } = odd
    return { healthy, ready, text: `thread ${index} ${text}` }
  }

  async measured(): Promise<readonly MetricSnapshot[]> {
    const asked = this.#threads.map(async thread => {
      const answer = await thread.ask({ about: 'metrics' })
      if (answer !== undefined) this.#measured.set(thread.index, answer)
    })
    await Promise.all(asked)
    return mergeMetrics([...this.#measured.values()])
  }

  async query(path: string, own: string | undefined): Promise<QueryAnswer | undefined> {
    const asked = this.#threads.map(thread => thread.ask({ about: 'query', path }))
    return mergeAnswers(await Promise.all(asked), own)
  }

  async #endOthers(reason: unknown): Promise<void> {
    const { restMs, clock, log } = this.#options
    log.error(
      { event: 'thread-ended', code: errorCodeOf(reason) ?? 'INTERNAL' },
      `${describeError(reason)}: the other threads are told to stop`,
    )
    // A part of the time is for leaving the group and closing the stores.
    const drainMs = Math.max(0, restMs - Math.min(1000, restMs / 5))
    this.stop(Math.min(drainMs, this.#stopWithinMs ?? Infinity))
    const rested = new AbortController()
    const ended = Promise.allSettled(this.#threads.map(each => each.ended))
    await Promise.race([ended, sleep(clock, restMs, rested.signal)])
    rested.abort()
    await Promise.all(this.#threads.map(each => each.terminate()))
    await ended
  }

  #lookForReady(): () => void {
    const { clock, onFirstReady } = this.#options
    let cancel: Cancel | undefined
    const look = (): void => {
      if (this.health().ready) onFirstReady()
      else cancel = clock.schedule(readyLookMs, look)
    }
    look()
    return () => cancel?.()
  }
}
