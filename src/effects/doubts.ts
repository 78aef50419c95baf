import type { Clock } from '../clock.ts'
import { evidenceWaitMs, foreignDeadlineMs } from './flight.ts'

/** An attempt of a former owner that nobody has told about in time. */
export interface DueDoubt {
  readonly identity: string
  readonly token: string
}

/**
 * Attempts found in the store that this process has not begun: 6 s from now nobody performs them any more, and 15 s later no
 * evidence is waited for. Counted on this machine's monotonic clock from when it read them: no clock is shared.
 */
export class Doubts {
  readonly #clock: Clock
  readonly #all = new Map<string, { readonly token: string; readonly dueMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#all.size
  }

  add(identity: string, token: string): void {
    const dueMs = this.#clock.monotonicMs() + foreignDeadlineMs + evidenceWaitMs
    this.#all.set(identity, { token, dueMs })
  }

  delete(identity: string): void {
    this.#all.delete(identity)
  }

  clear(): void {
    this.#all.clear()
  }

  takeDue(): DueDoubt[] {
    const nowMs = this.#clock.monotonicMs()
    const due: DueDoubt[] = []
    for (const [identity, { token, dueMs }] of this.#all) {
      // In the order they were added, so the first that is not due ends it.
      if (dueMs > nowMs) break
      this.#all.delete(identity)
      due.push({ identity, token })
    }
    return due
  }

  nextDelayMs(): number {
    const [first] = this.#all.values()
    return first === undefined ? Infinity : first.dueMs - this.#clock.monotonicMs()
  }
}
