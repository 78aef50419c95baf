import type { Clock } from '../clock.ts'

/** What happened, as lines that a person can read when a seed fails. Keeps the last `linesMax` lines. */
export class Story {
  readonly #clock: Clock
  readonly #linesMax: number
  #lines: string[] = []

  constructor(clock: Clock, linesMax = 5000) {
    this.#clock = clock
    this.#linesMax = linesMax
  }

  tell(actor: string, text: string): void {
    this.#lines.push(`${this.#clock.monotonicMs().toFixed(2).padStart(10)} ms  ${actor}: ${text}`)
    if (this.#lines.length >= 2 * this.#linesMax) this.#lines = this.#lines.slice(-this.#linesMax)
  }

  /** The last lines, oldest first. */
  tail(count: number = this.#linesMax): readonly string[] {
    return this.#lines.slice(-count)
  }

  toString(): string {
    return this.tail().join('\n')
  }
}
