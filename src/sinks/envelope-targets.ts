import { envelopeAddress } from './mail-address.ts'

const nobody: readonly string[] = Object.freeze([])

/** Targets, and the envelope addresses that they have: several may share one, because a domain has two spellings. */
export class EnvelopeTargets {
  readonly addresses: readonly string[]
  readonly #targets: readonly string[]
  /** Undefined of one target, which most mails have. */
  readonly #byAddress: ReadonlyMap<string, readonly string[]> | undefined

  /** At least one. */
  constructor(targets: readonly string[]) {
    const [first = ''] = targets
    this.#targets = targets
    this.#byAddress = targets.length === 1 ? undefined : Map.groupBy(targets, envelopeAddress)
    this.addresses = this.#byAddress ? [...this.#byAddress.keys()] : [envelopeAddress(first)]
  }

  /** Those with this address. */
  at(address: string): readonly string[] {
    if (this.#byAddress) return this.#byAddress.get(address) ?? nobody
    return address === this.addresses[0] ? this.#targets : nobody
  }

  atAll(addresses: readonly string[]): readonly string[] {
    const [first = ''] = addresses
    return addresses.length === 1 ? this.at(first) : addresses.flatMap(each => this.at(each))
  }
}
