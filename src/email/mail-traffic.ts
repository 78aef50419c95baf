import { noLimits, type Traffic, type TrafficLimits } from '../effects/traffic.ts'
import { nameOf } from './identity.ts'

/** How requests are ordered; lower goes first. */
export const priorities = Object.freeze({ HIGH: 0, NORMAL: 1, BULK: 2 })

/** Mail as traffic: from business systems, to recipient domains. */
export function mailTraffic(limits: TrafficLimits = noLimits): Traffic {
  return Object.freeze({
    sourceOf: (identity: string) => nameOf(identity).source,
    destinationOf: domainOf,
    bulkPriority: priorities.BULK,
    limits,
  })
}

/** Domains are compared without regard to case (RFC 5321 section 2.3.11). */
function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1).toLowerCase()
}
