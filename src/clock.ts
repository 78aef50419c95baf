/** Cancels what was scheduled; calling it late or twice does nothing. */
export type Cancel = () => void

/**
 * Time as an argument. Deadlines use the monotonic clock (and the wall clock too where a machine may have been
 * suspended), windows use record time: nothing in the processor asks the machine directly, so that a simulation
 * can own every tick.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch; may jump. */
  nowMs(): number
  /** Milliseconds since an arbitrary start; never goes back, may stand still while the machine is suspended. */
  monotonicMs(): number
  /** Calls back once, `delayMs` (≥ 0) from now. */
  schedule(delayMs: number, callback: () => void): Cancel
}

export const systemClock: Clock = Object.freeze({
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: (delayMs: number, callback: () => void) => {
    // A timer would take a millisecond: this one fires when all that has come in by now has been looked at.
    if (delayMs <= 0) {
      const immediate = setImmediate(callback)
      return () => clearImmediate(immediate)
    }
    // Node fires a longer delay at once; nobody here needs a timer beyond 24 days.
    const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647))
    return () => clearTimeout(timer)
  },
})

/** Resolves after `delayMs`, or at once when the signal aborts: the caller looks at the signal. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.schedule(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
