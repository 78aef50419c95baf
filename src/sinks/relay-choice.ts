import { hash } from 'node:crypto'
import { asciiDomain, splitAddress } from './mail-address.ts'
import type { MailRequest } from './mail-request.ts'
import type { Relay } from './relay.ts'

/** The header of a request that chooses relays by tag. It is for mailonce, and no part of the mail. */
const tagHeader = /^x-mailonce-tag$/i

/** Takes the tag out of the request's headers; null where it has none. */
export function takeTag(request: MailRequest): {
  readonly tag: string | null
  readonly request: MailRequest
} {
  if (!Object.keys(request.headers).some(name => tagHeader.test(name)))
    return { tag: null, request }
  const headers = Object.entries(request.headers)
  const [, tag = ''] = headers.find(([name]) => tagHeader.test(name)) ?? []
  const rest = Object.fromEntries(headers.filter(([name]) => !tagHeader.test(name)))
  return { tag: tag.trim(), request: { ...request, headers: rest } }
}

export function takesAll({ senderDomains, tags }: Pick<Relay, 'senderDomains' | 'tags'>): boolean {
  return senderDomains.size + tags.size === 0
}

/** Those that may take the mail: the ones with its tag, else the ones with its sender's domain, else the ones that take all. */
export function candidatesFor(
  relays: readonly Relay[],
  tag: string | null,
  from: string,
): readonly Relay[] {
  if (relays.length === 1 && takesAll(relays[0]!)) return relays
  const tagged = tag === null ? [] : relays.filter(({ tags }) => tags.has(tag))
  if (tagged.length > 0) return tagged
  const domain = asciiDomain(splitAddress(from).domain).toLowerCase()
  const ofSender = relays.filter(({ senderDomains }) => senderDomains.has(domain))
  return ofSender.length > 0 ? ofSender : relays.filter(takesAll)
}

/**
 * Weighted rendezvous hashing: each identity has an order of its own, first places are shared by weight, and a relay that is taken out
 * moves nobody but those whom it served. After a failover the relay asked last comes first all the same: if it has greylisted the mail,
 * it wants to see it again from where it came. Those of weight 0 come last.
 */
export function byPreference(
  relays: readonly Relay[],
  identity: string,
  lastAddress: string | null,
): readonly Relay[] {
  if (relays.length < 2) return relays
  const scored = relays.map(relay => {
    const isLast = relay.address === lastAddress && relay.weight > 0
    return { relay, score: isLast ? -1 : scoreOf(relay, identity) }
  })
  return scored.toSorted((a, b) => a.score - b.score).map(({ relay }) => relay)
}

function scoreOf({ address, weight }: Relay, identity: string): number {
  const digest = hash('sha256', `${address}\0${identity}`, 'hex')
  // In (0, 1): 48 bits are exact in a number.
  const drawn = (Number.parseInt(digest.slice(0, 12), 16) + 0.5) / 2 ** 48
  // An exponential variable of rate `weight`: it is the smallest of all with a chance in proportion to the weight.
  return weight === 0 ? 1e9 + drawn : -Math.log(drawn) / weight
}
