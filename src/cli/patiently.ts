import { sleep, type Clock } from '../clock.ts'
import { describeError, errorCodeOf, type ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'

export interface PatienceOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** The failure that passes by itself; any other is thrown. */
  readonly while: ErrorCode
  /** Stable name of the log line. */
  readonly event: string
}

const firstDelayMs = 500
const delayMsMax = 30_000

/**
 * Calls until it works, with growing pauses and a log line for each failure: an instance that starts before what it needs is
 * no failure, and must not end in a restart loop. Undefined when the signal ended it.
 */
export async function patiently<T>(
  call: () => Promise<T>,
  options: PatienceOptions,
): Promise<T | undefined> {
  const { clock, log, signal, event } = options
  for (
    let pauseMs: number = firstDelayMs;
    !signal.aborted;
    pauseMs = Math.min(pauseMs * 2, delayMsMax)
  ) {
    try {
      return await call()
    } catch (error) {
      if (errorCodeOf(error) !== options.while) throw error
      log.warn({ event, retryInMs: pauseMs }, describeError(error))
      await sleep(clock, pauseMs, signal)
    }
  }
  return undefined
}
