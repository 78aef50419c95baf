import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'

/** How often a line is logged while stores are restored, milliseconds. */
const lineEveryMs = 5000

/** How far the restores of an instance are, all of them together. */
export interface RestoreState {
  /** Changelog records applied. */
  readonly records: number
  /** Share of the changelogs' offsets that is behind, 0 to 1. */
  readonly share: number
  readonly recordsPerSecond: number
  /** At the pace so far; Infinity before there is one. */
  readonly secondsLeft: number
}

/**
 * Adds up what the tasks of an instance restore at a time. The first that begins starts the count, the last that ends resets it.
 * Offsets say how far it is, not records: of a compacted changelog nobody knows how many records are left.
 */
export class RestoreProgress {
  readonly #clock: Clock
  readonly #log: Logger
  #parts = 0
  #beganMs = 0
  #lineMs = 0
  #records = 0
  #offsets = 0
  #offsetsTotal = 0

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock
    this.#log = log
  }

  /** Undefined while nothing is restored. */
  get state(): RestoreState | undefined {
    if (this.#parts === 0) return undefined
    const seconds = (this.#clock.monotonicMs() - this.#beganMs) / 1000
    const left = this.#offsetsTotal - this.#offsets
    return {
      records: this.#records,
      share: this.#offsetsTotal === 0 ? 1 : this.#offsets / this.#offsetsTotal,
      recordsPerSecond: seconds === 0 ? 0 : this.#records / seconds,
      secondsLeft: this.#offsets === 0 ? Infinity : (seconds * left) / this.#offsets,
    }
  }

  /** A task has so many offsets to go through. `end` is called however it ends. */
  begin(offsets: number): { advance(records: number, offsets: number): void; end(): void } {
    if (this.#parts === 0) {
      this.#beganMs = this.#clock.monotonicMs()
      this.#lineMs = this.#beganMs
      this.#records = this.#offsets = this.#offsetsTotal = 0
    }
    this.#parts += 1
    this.#offsetsTotal += offsets
    let left = offsets
    return {
      advance: (records, passed) => {
        const counted = Math.min(passed, left)
        left -= counted
        this.#records += records
        this.#offsets += counted
        this.#tell()
      },
      end: () => {
        this.#offsets += left
        left = 0
        this.#parts -= 1
      },
    }
  }

  #tell(): void {
    const nowMs = this.#clock.monotonicMs()
    const { state } = this
    if (nowMs - this.#lineMs < lineEveryMs || state === undefined) return
    this.#lineMs = nowMs
    const { records, share, recordsPerSecond, secondsLeft } = state
    this.#log.info(
      {
        event: 'restoring',
        records,
        percent: Math.floor(share * 100),
        recordsPerSecond: Math.round(recordsPerSecond),
        secondsLeft: Math.ceil(secondsLeft),
      },
      restoreText(state),
    )
  }
}

/** For a person. */
export function restoreText({ share, recordsPerSecond, secondsLeft }: RestoreState): string {
  const pace = `${Math.round(recordsPerSecond).toLocaleString('en')} records/s`
  const left = secondsLeft === Infinity ? '' : `, ${Math.ceil(secondsLeft)} s left`
  return `restoring: ${Math.floor(share * 100)} %, ${pace}${left}`
}
