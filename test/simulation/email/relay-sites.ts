import type { ManualClock } from '../../../src/testing/manual-clock.ts'

/** An address under which mails are taken. */
export interface RelaySite {
  readonly address: string
  /** It recognises repetitions for so long, milliseconds; 0: it does not. */
  readonly repeatableForMs: number
}

/** A final dot that was written at a site. */
export interface DotAt {
  /** Names the request and its life: another one may have its identity after the window. */
  readonly messageId: string
  readonly address: string
}

/** What the sites remember of the dots they have seen: keys of those that recognise repetitions, and dots whose answer nobody has heard. */
export class SiteMemory {
  readonly #clock: ManualClock
  readonly #keys = new Map<string, number>()
  readonly #unanswered = new Map<string, Set<DotAt>>()

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  /** True when the mail with this key has been taken, and its time is not over. */
  recognises({ address, repeatableForMs }: RelaySite, key: string): boolean {
    const takenMs = this.#keys.get(`${address} ${key}`)
    return takenMs !== undefined && this.#clock.monotonicMs() - takenMs < repeatableForMs
  }

  took({ address }: RelaySite, key: string): void {
    this.#keys.set(`${address} ${key}`, this.#clock.monotonicMs())
  }

  /** Returns another site that has a dot of this request whose answer nobody has heard, if there is one. */
  dotted(dot: DotAt): string | undefined {
    const open = this.#unanswered.get(dot.messageId) ?? new Set()
    const elsewhere = [...open].find(each => each.address !== dot.address)
    this.#unanswered.set(dot.messageId, open.add(dot))
    return elsewhere?.address
  }

  /** Whoever wrote the dot has read the answer to it. */
  answered(dot: DotAt): void {
    this.#unanswered.get(dot.messageId)?.delete(dot)
  }
}

/** One relay in half of the seeds of each file; else two, of which the second may recognise repetitions. */
export function sitesOf(seed: number): readonly RelaySite[] {
  const kind = Math.floor(seed / 2) % 4
  const first = { address: 'relay:25', repeatableForMs: 0 }
  const second = { address: 'second:25', repeatableForMs: kind === 3 ? 40_000 : 0 }
  return kind < 2 ? [first] : [first, second]
}
