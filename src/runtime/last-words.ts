import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import type { EffectEngine } from '../effects/engine.ts'
import type { Logger } from '../log.ts'
import type { CommitPipeline } from './commit-pipeline.ts'

/** Longest wait for replies of what has been performed; its owner by then waits longer for evidence. */
const repliesWithinMs = 5000

export interface LastWords {
  /** Why the worker ends. */
  readonly failure: unknown
  /** Of tasks that have been closed: what they still learn goes to the commits as evidence. */
  readonly engines: readonly EffectEngine<unknown>[]
  readonly commits: CommitPipeline
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A full disk takes the journal away, and with it the only memory of replies that no transaction holds yet. So what is known, and
 * what becomes known within 5 s, goes to the command topics: the requests end by it, wherever their tasks are by then.
 * Evidence is safe from anybody at any time, because it names the attempt it speaks of. Never throws.
 */
export async function sayLastWords(words: LastWords): Promise<void> {
  const { failure, engines, commits, clock, log } = words
  if (errorCodeOf(failure) !== 'DISK_FULL') return
  const deadlineMs = clock.monotonicMs() + repliesWithinMs
  const isAwaited = (): boolean => engines.some(engine => engine.performingCount > 0)
  while (isAwaited() && clock.monotonicMs() < deadlineMs) await sleep(clock, 20)
  try {
    await commits.publishEvidence()
  } catch (error) {
    log.warn({ event: 'evidence-unpublished' }, describeError(error))
  }
}
