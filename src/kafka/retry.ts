import { sleep, type Clock } from '../clock.ts'
import { StreamsError, describeError, type ErrorCode } from '../errors.ts'
import { classify, errorNamesOf, toStreamsError, type Handling } from './classify.ts'

export interface RetryRules {
  readonly clock: Clock
  /** What is being done, for the message of the error: `committing a transaction`. */
  readonly doing: string
  /** Monotonic time after which no further attempt is made. */
  readonly deadlineMs: number
  readonly retryBackoffMs: number
  /** Called before an attempt at another broker: drop what is cached about who is responsible. */
  readonly forget: () => void
  /** What a lost answer means: `again` where a second request cannot do harm, or the code to throw. */
  readonly lost: 'again' | ErrorCode
  /** What to throw when the time is up. @default BROKER_UNAVAILABLE */
  readonly exhausted?: ErrorCode
  /** Stops waiting; the failure at hand is thrown. */
  readonly signal?: AbortSignal
  /** Overrules the table for one kind of request. */
  readonly handle?: (error: unknown) => Handling | undefined
}

/**
 * Makes the attempt until it succeeds, fails for good or the time is up. CONCURRENT_TRANSACTIONS waits 2 to 20 ms
 * only: the markers of the last transaction are written in about that time. Throws the code of the table, or
 * `exhausted` when the time is up.
 */
export async function retrying<T>(rules: RetryRules, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt()
    } catch (error) {
      const handling = rules.handle?.(error) ?? classify(error)
      const lostCode = handling === 'lost' && rules.lost !== 'again' ? rules.lost : undefined
      if (lostCode !== undefined) throw toStreamsError(error, lostCode, rules.doing)
      if (handling !== 'again' && handling !== 'elsewhere' && handling !== 'lost')
        throw toStreamsError(error, handling, rules.doing)
      if (rules.clock.monotonicMs() >= rules.deadlineMs || rules.signal?.aborted)
        throw giveUp(error, rules)
      if (handling !== 'again') rules.forget()
      await sleep(rules.clock, backoffMs(error, failures, rules.retryBackoffMs), rules.signal)
    }
  }
}

function giveUp(error: unknown, { exhausted, doing }: RetryRules): StreamsError {
  if (exhausted === undefined) return toStreamsError(error, 'BROKER_UNAVAILABLE', doing)
  return new StreamsError(exhausted, `${doing}: ${describeError(error)}`, { cause: error })
}

function backoffMs(error: unknown, failures: number, retryBackoffMs: number): number {
  if (error instanceof StreamsError) return retryBackoffMs
  const names = errorNamesOf(error)
  if (names.length > 0 && names.every(name => name === 'CONCURRENT_TRANSACTIONS'))
    return Math.min(2 * (failures + 1), 20)
  return Math.min(retryBackoffMs, 10 * (failures + 1))
}
