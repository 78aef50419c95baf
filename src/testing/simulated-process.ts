import type { Clock } from '../clock.ts'
import type { ManualClock } from './manual-clock.ts'
import type { Story } from './story.ts'

export type ProcessStatus = 'running' | 'paused' | 'killed'

/**
 * One life of one process in a simulation. Everything that reaches its code comes through `deliver` (timers through its `clock`,
 * which does the same), so that death is complete: after `kill` no timer fires, no call settles, no listener hears anything.
 */
export class SimulatedProcess {
  readonly id: string
  readonly clock: Clock
  readonly #base: ManualClock
  readonly #story: Story
  readonly #onKill: (() => void)[] = []
  #status: ProcessStatus = 'running'
  #held: (() => void)[] = []
  #suspendedAtMs: number | undefined
  #suspendedMs = 0

  constructor(id: string, base: ManualClock, story: Story) {
    this.id = id
    this.#base = base
    this.#story = story
    this.clock = Object.freeze({
      nowMs: () => base.nowMs(),
      monotonicMs: () => this.#monotonicMs(),
      schedule: (delayMs: number, callback: () => void) => this.#schedule(delayMs, callback),
    })
  }

  get status(): ProcessStatus {
    return this.#status
  }

  get alive(): boolean {
    return this.#status !== 'killed'
  }

  /** Runs it now, at `resume` or never, as the process is running, paused or dead. */
  deliver(callback: () => void): void {
    if (this.#status === 'running') callback()
    else if (this.#status === 'paused') this.#held.push(callback)
  }

  /** As SIGKILL does: at once, with nothing said to anybody. */
  kill(): void {
    if (!this.alive) return
    this.#story.tell(this.id, 'killed')
    this.#status = 'killed'
    this.#held = []
    for (const listener of this.#onKill) listener()
  }

  /** For what belongs to the machine and outlives the process: a disk, a relay that sees its connection close. */
  onKill(listener: () => void): void {
    this.#onKill.push(listener)
  }

  /**
   * Stops it as SIGSTOP or a long garbage collection does, or, with the machine `suspended`, its monotonic clock too.
   * Requests that are under way still reach the broker.
   */
  pause(machine: 'awake' | 'suspended' = 'awake'): void {
    if (this.#status !== 'running') return
    this.#story.tell(this.id, `paused, machine ${machine}`)
    this.#status = 'paused'
    if (machine === 'suspended') this.#suspendedAtMs = this.#base.monotonicMs()
  }

  /** What it missed comes in the order in which it came, each as a step of its own. */
  resume(): void {
    if (this.#status !== 'paused') return
    this.#story.tell(this.id, 'resumed')
    this.#suspendedMs = this.#base.monotonicMs() - this.#monotonicMs()
    this.#suspendedAtMs = undefined
    this.#status = 'running'
    const held = this.#held
    this.#held = []
    for (const callback of held) this.#base.schedule(0, () => this.deliver(callback))
  }

  #monotonicMs(): number {
    return (this.#suspendedAtMs ?? this.#base.monotonicMs()) - this.#suspendedMs
  }

  #schedule(delayMs: number, callback: () => void): () => void {
    const dueMs = this.#monotonicMs() + delayMs
    let cancelled = false
    const fire = (): void => {
      if (cancelled) return
      // A machine that slept owes the timer the time it slept; below a microsecond that is rounding.
      const missingMs = dueMs - this.#monotonicMs()
      if (missingMs > 0.001) cancelBase = this.#base.schedule(missingMs, () => this.deliver(fire))
      else callback()
    }
    let cancelBase = this.#base.schedule(delayMs, () => this.deliver(fire))
    return () => {
      cancelled = true
      cancelBase()
    }
  }
}
