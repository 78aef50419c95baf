import type { Random } from '../../src/random.ts'
import { type Api, apiKeys, type BrokerError, type RefusableApi } from './error-answers.ts'

/** `request`: it never reaches the broker. `answer`: the broker has done it, and nobody learns of it. */
export type Loss = 'request' | 'answer'

export type Fault =
  | { readonly kind: Loss }
  /** The request is kept, and reaches the broker when the test says so. */
  | { readonly kind: 'late' }
  /** The broker never hears of it, and its answer is this error. */
  | { readonly kind: 'refused'; readonly error: BrokerError }
  /** The broker has done it, and its answer is this error all the same. */
  | { readonly kind: 'disowned'; readonly error: BrokerError }
  /** The answer comes later, and all behind it. */
  | { readonly kind: 'slow'; readonly ms: number }

/** How much of what: probabilities for each message of the chosen kinds. */
export interface FaultRates {
  readonly apis: readonly RefusableApi[]
  readonly rates: Readonly<Record<Exclude<Fault['kind'], 'late'>, number>>
  /** One of these is the answer to what is refused or disowned. */
  readonly errors: readonly BrokerError[]
  readonly slowMsMax: number
}

interface Planned {
  readonly apiKey: number
  readonly fault: Fault
  /** Messages of the kind that pass before. */
  after: number
  times: number
}

/** Which message meets which fault: the n-th of a kind, or some of them by chance. Counts what was met. */
export class FaultPlan {
  #planned: Planned[] = []
  #chance: { readonly random: Random; readonly rates: FaultRates } | undefined
  /** How often each kind of fault was met. */
  readonly met = new Map<Fault['kind'], number>()

  add(api: Api, fault: Fault, times: number, after: number): void {
    this.#planned.push({ apiKey: apiKeys[api], fault, times, after })
  }

  byChance(random: Random, rates: FaultRates): void {
    this.#chance = { random, rates }
  }

  clear(): void {
    this.#planned = []
    this.#chance = undefined
  }

  /** What happens to this request, and to its answer. */
  take(apiKey: number): Fault | undefined {
    const fault = this.#takePlanned(apiKey) ?? this.#draw(apiKey)
    if (fault) this.met.set(fault.kind, (this.met.get(fault.kind) ?? 0) + 1)
    return fault
  }

  #takePlanned(apiKey: number): Fault | undefined {
    for (const each of this.#planned) {
      if (each.apiKey !== apiKey || each.times === 0) continue
      if (each.after > 0) {
        each.after -= 1
        continue
      }
      each.times -= 1
      return each.fault
    }
    return undefined
  }

  #draw(apiKey: number): Fault | undefined {
    if (this.#chance === undefined) return undefined
    const { random, rates } = this.#chance
    if (!rates.apis.some(api => apiKeys[api] === apiKey)) return undefined
    let left = random.next()
    for (const kind of ['request', 'answer', 'refused', 'disowned', 'slow'] as const) {
      left -= rates.rates[kind]
      if (left >= 0) continue
      if (kind === 'slow') return { kind, ms: random.next() * rates.slowMsMax }
      if (kind === 'request' || kind === 'answer') return { kind }
      return { kind, error: rates.errors[Math.floor(random.next() * rates.errors.length)]! }
    }
    return undefined
  }
}
