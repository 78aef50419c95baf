import { randomUUID } from 'node:crypto'

/** Chance as an argument, for jitter and identities: a seeded one makes a run repeatable. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** A version 4 UUID (RFC 9562). */
  uuid(): string
}

export const systemRandom: Random = Object.freeze({
  next: () => Math.random(),
  uuid: () => randomUUID(),
})

/** A repeatable sequence from a 32-bit seed (mulberry32): good enough to choose faults and jitter, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
  const uuid = (): string => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`
  return Object.freeze({ next, uuid })
}
