import { noLimits, type Traffic } from '../effects/traffic.ts'

/** Webhooks as traffic: from one source, to hosts. Each host gets so many connections, of all instances together. */
export function webhookTraffic(hostConnections: number): Traffic {
  return Object.freeze({
    sourceOf: () => 'callbacks',
    destinationOf: (host: string) => host,
    throttlingOf,
    // All are alike.
    bulkPriority: Infinity,
    limits: { ...noLimits, destination: { connections: hostConnections } },
  })
}

/** 429 asks for less; 502, 503 and 504 may only say that something is broken. */
function throttlingOf(reply: string): 'certain' | 'likely' | null {
  if (reply === 'HTTP 429') return 'certain'
  return /^HTTP 50[234]$/.test(reply) ? 'likely' : null
}
