import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'

const backoffMinMs = 500
const backoffMaxMs = 30_000

/** `closed`: everybody may try. `open`: nobody, until the back-off is over. `half-open`: one try is under way that decides. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** What a try learnt of the relay as a whole. `nothing`: it was stopped before the relay could show itself. */
export type Finding = 'answered' | 'unavailable' | 'nothing'

/**
 * Keeps tries away from a relay that is out of reach, and lets one of them look from time to time. The back-off doubles from 0.5 s to
 * 30 s, with a quarter of it drawn by chance, so that many instances do not come back together.
 */
export class RelayCircuit {
  readonly #clock: Clock
  readonly #random: Random
  readonly #onChange: (state: CircuitState) => void
  #state: CircuitState = 'closed'
  #failures = 0
  #openUntilMs = -Infinity

  constructor(clock: Clock, random: Random, onChange: (state: CircuitState) => void) {
    this.#clock = clock
    this.#random = random
    this.#onChange = onChange
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

  /** Begins a try. Undefined when none may begin; else what its end is reported to, once. */
  begin(): ((finding: Finding) => void) | undefined {
    if (!this.isPassable) return undefined
    const isProbe = this.#state === 'open'
    if (isProbe) this.#become('half-open')
    return finding => this.#end(isProbe, finding)
  }

  #end(isProbe: boolean, finding: Finding): void {
    if (finding === 'answered') {
      this.#failures = 0
      return this.#become('closed')
    }
    if (finding === 'nothing') return isProbe ? this.#become('open') : undefined
    // Those that began together with one that has opened it fail with it.
    if (!isProbe && this.#state !== 'closed') return
    this.#failures += 1
    const delayMs = Math.min(backoffMinMs * 2 ** Math.min(this.#failures - 1, 10), backoffMaxMs)
    this.#openUntilMs = this.#clock.monotonicMs() + delayMs * (0.75 + 0.5 * this.#random.next())
    this.#become('open')
  }

  #become(state: CircuitState): void {
    if (state === this.#state) return
    this.#state = state
    this.#onChange(state)
  }
}
