import type { Cancel, Clock } from '../clock.ts'

/**
 * Lets one loop sleep until something happens. A wake-up carries nothing and is never lost: one that comes while the loop
 * is busy ends its next wait at once. So whoever wakes need not know what the loop is doing. All that comes in together, as the answers
 * of many connections do, wakes it once.
 */
export class WakeSignal {
  readonly #clock: Clock
  #woken = false
  #resolve: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly wake = (): void => {
    this.#woken = true
    if (this.#resolve === undefined) return
    this.#clock.schedule(0, this.#resolve)
    this.#resolve = undefined
  }

  /** Until woken, or until the delay (milliseconds; Infinity: only until woken) is over. */
  async wait(delayMs: number): Promise<void> {
    if (!this.#woken && delayMs > 0) {
      let cancel: Cancel | undefined
      await new Promise<void>(resolve => {
        this.#resolve = resolve
        if (delayMs !== Infinity) cancel = this.#clock.schedule(delayMs, resolve)
      })
      this.#resolve = undefined
      cancel?.()
    }
    this.#woken = false
  }
}
