import { StreamsError } from '../errors.ts'
import type { Configuration } from './configuration.ts'

/** One of the threads of a process. */
export interface ThreadPlace {
  /** 0 to `threads` - 1. */
  readonly index: number
  readonly threads: number
}

type Divided = Pick<Configuration, 'threads' | 'smtpConnections' | 'relays' | 'limits' | 'webhooks'>

/** Every thread needs a connection of its own. Throws CONFIGURATION_INVALID. */
export function checkThreads({ threads, smtpConnections, relays }: Divided): void {
  const connections: (readonly [place: string, count: number])[] =
    relays === undefined
      ? [['smtp-connections', smtpConnections]]
      : [...relays].map(([name, relay]) => [`relays.${name}.connections`, relay.connections])
  for (const [place, count] of connections)
    if (count < threads)
      throw new StreamsError(
        'CONFIGURATION_INVALID',
        `${place}: ${count} connections are too few for --threads ${threads}: each thread has at least one of its own`,
      )
}

/** What one thread may use of what the instance may: the parts add up to the whole, except that nobody gets less than one. */
export function shareOfThread<T extends Divided>(configuration: T, place: ThreadPlace): T {
  const { smtpConnections, relays, limits, webhooks } = configuration
  const part = (whole: number): number => partOf(whole, place)
  const { outbox } = limits
  return {
    ...configuration,
    smtpConnections: part(smtpConnections),
    relays:
      relays &&
      new Map(
        [...relays].map(([name, relay]) => [
          name,
          { ...relay, connections: part(relay.connections) },
        ]),
      ),
    limits: {
      ...limits,
      outbox: { requests: part(outbox.requests), bytes: part(outbox.bytes) },
    },
    webhooks: {
      ...webhooks,
      connections: part(webhooks.connections),
      hostConnections: part(webhooks.hostConnections),
    },
  }
}

function partOf(whole: number, { index, threads }: ThreadPlace): number {
  return Math.max(1, Math.floor(whole / threads) + (index < whole % threads ? 1 : 0))
}
