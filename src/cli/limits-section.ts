import { defaultOutboxLimit, type OutboxLimit } from '../effects/outbox-room.ts'
import type { Limit, TrafficLimits } from '../effects/traffic.ts'
import { decimalNumber, onOff, type Parser, textLike, wholeNumber } from './parsers.ts'
import { mapOf, object, optional, plain, type Shape, structured } from './structure.ts'

/** How much the relay, the recipient domains and the sources may have, and what an instance keeps waiting. */
export interface Limits {
  readonly traffic: TrafficLimits
  readonly outbox: OutboxLimit
}

const perSecond = optional(plain(decimalNumber({ min: 0.01, max: 100_000 })))
const limit: Shape<Limit> = object({
  connections: optional(plain(wholeNumber({ min: 1, max: 10_000 }))),
  perSecond,
})

/** Domains are compared in lower case, as in an address. */
const domain: Parser<string> = {
  ...textLike('DOMAIN', /^[^\s@,]{1,255}$/, 'a domain such as example.com'),
  parse: text => (/^[^\s@,]{1,255}$/.test(text) ? text.toLowerCase() : undefined),
}
const source = textLike('SOURCE', /^.{1,200}$/, 'the name of a source')

const shape = object({
  relay: optional(object({ perSecond }), {}),
  domain: optional(limit, {}),
  domains: optional(mapOf(domain, limit), new Map<string, Limit>()),
  source: optional(limit, {}),
  sources: optional(mapOf(source, limit), new Map<string, Limit>()),
  adaptive: optional(plain(onOff), true),
  openRequests: optional(plain(wholeNumber({ min: 1, max: 100_000_000 })), undefined),
  openMegabytes: optional(plain(wholeNumber({ min: 1, max: 10_000_000 })), undefined),
})

const asLimits: Shape<Limits> = {
  allowed: shape.allowed,
  read: (value, place) => {
    const { relay, domains, sources, adaptive, openRequests, openMegabytes, ...rest } = shape.read(
      value,
      place,
    )
    return {
      traffic: {
        sink: relay,
        destination: rest.domain,
        destinations: domains,
        source: rest.source,
        sources,
        isAdaptive: adaptive,
      },
      outbox: {
        requests: openRequests ?? defaultOutboxLimit.requests,
        bytes: openMegabytes === undefined ? defaultOutboxLimit.bytes : openMegabytes * 1_000_000,
      },
    }
  },
}

/** The section `limits`. */
export const limitsSection = structured(asLimits)
