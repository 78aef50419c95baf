import { StreamsError } from '../errors.ts'
import { dkimKey, type DkimAlgorithm, type DkimKey, type DkimOptions } from './dkim-key.ts'
import { asciiDomain, splitAddress } from './mail-address.ts'

/** Every key there is, and which of them sign a mail. */
export class DkimKeys {
  readonly #byDomain: ReadonlyMap<string, readonly DkimKey[]>

  /** Throws CONFIGURATION_INVALID. */
  constructor(options: DkimOptions) {
    const all = Object.entries(options).flatMap(([domain, keys]) =>
      keys.map(key => dkimKey(domain, key)),
    )
    this.#byDomain = Map.groupBy(all, ({ domain }) => domain)
    for (const [domain, keys] of this.#byDomain) checkApart(domain, keys)
  }

  /**
   * The keys that sign for this sender: those of its domain, else of the closest one above it; one for each algorithm. The time is the
   * request's own, so that every try of it has the same signature, whatever has been rotated in between. What is older than every key has
   * the oldest.
   */
  signersOf(from: string, firstSeenMs: number): readonly DkimKey[] {
    if (this.#byDomain.size === 0) return []
    const keys = this.#keysFor(asciiDomain(splitAddress(from).domain).toLowerCase())
    return (['rsa-sha256', 'ed25519-sha256'] as const).flatMap(algorithm => {
      const key = keyAt(keys, algorithm, firstSeenMs)
      return key === undefined ? [] : [key]
    })
  }

  #keysFor(domain: string): readonly DkimKey[] {
    for (let name = domain; name !== ''; name = name.slice(name.indexOf('.') + 1)) {
      const keys = this.#byDomain.get(name)
      if (keys !== undefined) return keys
      if (!name.includes('.')) break
    }
    return []
  }
}

function keyAt(
  keys: readonly DkimKey[],
  algorithm: DkimAlgorithm,
  atMs: number,
): DkimKey | undefined {
  const oldestFirst = keys
    .filter(key => key.algorithm === algorithm)
    .toSorted((one, other) => (one.fromMs < other.fromMs ? -1 : 1))
  return oldestFirst.findLast(({ fromMs }) => fromMs <= atMs) ?? oldestFirst[0]
}

function checkApart(domain: string, keys: readonly DkimKey[]): void {
  const starts = new Set<string>()
  for (const { algorithm, fromMs, selector } of keys) {
    const start = `${algorithm} ${fromMs}`
    if (starts.has(start)) {
      throw new StreamsError(
        'CONFIGURATION_INVALID',
        `two ${algorithm} keys of ${domain} begin at the same time: say from when on ${selector} signs`,
      )
    }
    starts.add(start)
  }
}
