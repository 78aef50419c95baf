import type { Cancel, Clock } from './clock.ts'
import type { Random } from './random.ts'

const backoffMinMs = 500
const backoffMaxMs = 30_000

/** `closed`: everybody may try. `open`: nobody, until the back-off is over. `half-open`: one try is under way that decides. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** What a try learnt of the other side as a whole. `nothing`: it was stopped before the other side could show itself. */
export type Finding = 'answered' | 'unavailable' | 'nothing'

/** What a try has found. `retryInMs`, with `unavailable`, where the other side itself knows when to try again, milliseconds. */
export type Report = (finding: Finding, retryInMs?: number) => void

export interface CircuitListener {
  /** The state is another one now. */
  readonly onChange?: (state: CircuitState) => void
  /** A back-off is over. */
  readonly onMayTry?: () => void
}

/**
 * Keeps tries away from another side that is out of reach, and lets one of them look from time to time. The back-off doubles from
 * 0.5 s to 30 s, with a quarter of it drawn by chance, so that many instances do not come back together.
 */
export class Circuit {
  readonly #clock: Clock
  readonly #random: Random
  readonly #listener: CircuitListener
  #state: CircuitState = 'closed'
  #failures = 0
  #openUntilMs = -Infinity
  #cancelTimer: Cancel = () => undefined

  constructor(clock: Clock, random: Random, listener: CircuitListener = {}) {
    this.#clock = clock
    this.#random = random
    this.#listener = listener
  }

  get state(): CircuitState {
    return this.#state
  }

  /** A try may begin now. */
  get isPassable(): boolean {
    return this.#state !== 'half-open' && this.retryInMs === 0
  }

  /** Milliseconds until a try may begin; 0: now. What a probe under way will say is not known: soon after it. */
  get retryInMs(): number {
    if (this.#state === 'closed') return 0
    if (this.#state === 'half-open') return backoffMinMs
    return Math.max(0, this.#openUntilMs - this.#clock.monotonicMs())
  }

  /**
   * Begins a try. Undefined when none may begin; else what its findings are reported to: what came of its beginning, and what it found
   * out after that.
   */
  begin(): Report | undefined {
    if (!this.isPassable) return undefined
    let isProbe = this.#state === 'open'
    if (isProbe) this.#become('half-open')
    return (finding, retryInMs) => {
      this.#learn(isProbe, finding, retryInMs)
      isProbe = false
    }
  }

  /** No timer is left behind. */
  close(): void {
    this.#cancelTimer()
  }

  #learn(isProbe: boolean, finding: Finding, retryInMs: number | undefined): void {
    if (finding === 'answered') {
      this.#failures = 0
      return this.#become('closed')
    }
    if (finding === 'nothing') return isProbe ? this.#become('open') : undefined
    // Those that began together with one that has opened it fail with it.
    if (!isProbe && this.#state !== 'closed') return
    this.#failures += 1
    const delayMs = Math.min(backoffMinMs * 2 ** Math.min(this.#failures - 1, 10), backoffMaxMs)
    this.#openFor(retryInMs ?? delayMs * (0.75 + 0.5 * this.#random.next()))
  }

  #openFor(delayMs: number): void {
    this.#openUntilMs = this.#clock.monotonicMs() + delayMs
    const { onMayTry } = this.#listener
    this.#cancelTimer()
    if (onMayTry) this.#cancelTimer = this.#clock.schedule(delayMs, onMayTry)
    this.#become('open')
  }

  #become(state: CircuitState): void {
    if (state === this.#state) return
    this.#state = state
    this.#listener.onChange?.(state)
  }
}
