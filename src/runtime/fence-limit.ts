import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'

const fencedMax = 3
const fencedWindowMs = 60_000

/**
 * Being fenced once says that a transaction took too long, or that we slept. Again and again within a minute says that
 * another live process initialises the same transactional id: then this one gives way, with a text that says so.
 */
export class FenceLimit {
  readonly #clock: Clock
  readonly #instanceId: string
  #atMs: number[] = []

  constructor(clock: Clock, instanceId: string) {
    this.#clock = clock
    this.#instanceId = instanceId
  }

  /** Throws INSTANCE_ID_IN_USE when it was once too often. */
  note(cause: unknown): void {
    const nowMs = this.#clock.monotonicMs()
    this.#atMs = [...this.#atMs.filter(at => nowMs - at < fencedWindowMs), nowMs]
    if (this.#atMs.length < fencedMax) return
    throw new StreamsError(
      'INSTANCE_ID_IN_USE',
      `another live process uses the instance id ${this.#instanceId}: give each instance its own --instance-id and --state-dir`,
      { cause },
    )
  }
}
