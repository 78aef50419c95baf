import type { ManualClock } from './manual-clock.ts'

/** How long a simulation runs; whichever comes first. */
export interface RunOptions {
  /** Asked after every step. Without it the run ends by its limits, or when nothing is left to do. */
  readonly until?: () => boolean
  /** Simulated time at most, milliseconds; without `until` it passes in full, also when nothing is left to do. @default one hour, which does not */
  readonly withinMs?: number
  /** Steps at most: a step is one timer or one completion, and all that follows from it without waiting. @default 1,000,000 */
  readonly stepsMax?: number
}

/**
 * - `done`: `until` became true; `idle`: nothing is scheduled any more; `late`: `withinMs` has passed;
 * - `stopped`: `stepsMax` steps were made.
 */
export type RunEnd = 'done' | 'idle' | 'late' | 'stopped'

const hourMs = 3_600_000

/**
 * Drives a simulation: lets everything run that can run, and only then moves the clock to the next timer and fires it
 * alone. What is awaited in the simulated code must come from the simulation (its clock, broker, disk); then two runs with one seed
 * are equal step by step, and a run can be broken off after each of its steps.
 */
export class SimulationScheduler {
  readonly #clock: ManualClock
  #steps = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** Steps made so far. */
  get steps(): number {
    return this.#steps
  }

  run(options: RunOptions = {}): Promise<RunEnd> {
    const { until, withinMs, stepsMax = 1_000_000 } = options
    const endMs = this.#clock.monotonicMs() + (withinMs ?? hourMs)
    const passesInFull = withinMs !== undefined && until === undefined
    const lastStep = this.#steps + stepsMax

    return turnUntil((): RunEnd | undefined => {
      if (until?.() === true) return 'done'
      const nextMs = this.#clock.nextDueMs
      const isIdle = nextMs === undefined
      if (isIdle && !passesInFull) return 'idle'
      if (isIdle || nextMs > endMs) {
        this.#clock.advance(endMs - this.#clock.monotonicMs())
        return isIdle ? 'idle' : 'late'
      }
      if (this.#steps >= lastStep) return 'stopped'
      this.#steps += 1
      this.#clock.fireNext()
      return undefined
    })
  }

  /** Runs on and on, until it is disposed of, for code that only awaits: a contract suite that knows nothing of simulations. */
  runInBackground(): AsyncDisposable {
    const stop = new AbortController()
    const loop = async (): Promise<void> => {
      while (!stop.signal.aborted) await this.run({ stepsMax: 1 })
    }
    const ended = loop()
    return {
      [Symbol.asyncDispose]: () => {
        stop.abort()
        return ended
      },
    }
  }

  /** Runs until the promise has settled and returns what it did; throws when that does not happen within the limits. */
  async settle<T>(promise: Promise<T>, options: Omit<RunOptions, 'until'> = {}): Promise<T> {
    let settled = false
    const watched = promise.finally(() => {
      settled = true
    })
    // Whoever awaits `settle` hears of a rejection; this only keeps it from being called unhandled meanwhile.
    watched.catch(() => undefined)
    const end = await this.run({ ...options, until: () => settled })
    if (end !== 'done') throw new Error(`the simulation ended (${end}) before the promise settled`)
    return watched
  }
}

/** Turns of ours in one of the event loop, which costs as much as several of them. */
const turnsTogether = 16

/**
 * Calls until something is returned. Between two calls all continuations run that wait for nothing but each other: Node
 * does so after every immediate.
 */
function turnUntil<T>(turn: () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const once = (): void => {
      if (isOver) return
      try {
        const result = turn()
        isOver = result !== undefined
        if (result !== undefined) resolve(result)
      } catch (error) {
        isOver = true
        reject(error)
      }
    }
    const together = (): void => {
      for (let index = 1; index < turnsTogether; index += 1) setImmediate(once)
      setImmediate(() => {
        once()
        if (!isOver) together()
      })
    }
    together()
  })
}
