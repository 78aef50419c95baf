import { type Clock, sleep } from '../clock.ts'
import { describeError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { isPassing } from './restore.ts'

interface Patience {
  readonly clock: Clock
  readonly log: Logger
  /** Ends the patience: what fails then is thrown. */
  readonly signal: AbortSignal
}

/** Calls until it succeeds or fails with what does not pass by itself. */
export async function untilReachable(
  { clock, log, signal }: Patience,
  call: () => Promise<void>,
): Promise<void> {
  for (let delayMs = 200; ; delayMs = Math.min(delayMs * 2, 10_000)) {
    try {
      await call()
      return
    } catch (error) {
      if (!isPassing(error) || signal.aborted) throw error
      log.warn({ event: 'broker-unreachable', delayMs }, describeError(error))
      await sleep(clock, delayMs, signal)
    }
  }
}
