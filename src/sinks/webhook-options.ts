import { lookup } from 'node:dns/promises'
import type { ConnectionOptions } from 'node:tls'
import { systemClock, type Clock } from '../clock.ts'
import type { Resolve } from './webhook-connection.ts'

export interface WebhookSinkOptions {
  /** Sign every webhook, each with a signature of its own; the first is the current one. Without any, none is sent. */
  readonly keys: readonly Buffer[]
  /** Connections of this instance at once. @default 50 */
  readonly connectionsMax?: number
  /** Until the connection stands, and again until the answer, milliseconds. @default 15,000 */
  readonly timeoutMs?: number
  /** Networks that are not of the public Internet and may be connected to all the same. @default none */
  readonly allowPrivate?: readonly string[]
  /** Takes http:// URLs too. @default false */
  readonly allowHttp?: boolean
  /** Of the body of an answer, which is thrown away; a longer one is cut off. @default 65,536 */
  readonly responseBytesMax?: number
  /** More for `node:tls`, such as `ca`. */
  readonly tls?: ConnectionOptions
  /** @default the system's resolver */
  readonly resolve?: Resolve
  readonly clock?: Clock
}

const defaults = Object.freeze({
  connectionsMax: 50,
  timeoutMs: 15_000,
  allowPrivate: Object.freeze([]),
  allowHttp: false,
  responseBytesMax: 65_536,
  tls: Object.freeze({}),
  resolve: sharedLookup(),
  clock: systemClock,
})

export type ResolvedWebhookOptions = Required<WebhookSinkOptions>

/** Copies and fills in. */
export function resolveWebhookOptions(options: WebhookSinkOptions): ResolvedWebhookOptions {
  return Object.freeze({ ...defaults, ...options })
}

/** Look-ups of one name that are under way are one: a name server that does not answer takes one thread, however many wait for it. */
function sharedLookup(): Resolve {
  const pending = new Map<string, Promise<readonly string[]>>()
  return host => {
    const known = pending.get(host)
    if (known) return known
    const found = lookup(host, { all: true }).then(all => all.map(({ address }) => address))
    const shared = found.finally(() => pending.delete(host))
    pending.set(host, shared)
    return shared
  }
}
