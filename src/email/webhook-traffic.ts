import { noLimits, type Traffic } from '../effects/traffic.ts'

/** Webhooks as traffic: from one source, to hosts. Each host gets so many connections, of all instances together. */
export function webhookTraffic(hostConnections: number): Traffic {
  return Object.freeze({
    sourceOf: () => 'callbacks',
    destinationOf: (host: string) => host,
    // All are alike.
    bulkPriority: Infinity,
    limits: { ...noLimits, destination: { connections: hostConnections } },
  })
}
