import { once } from 'node:events'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import type { AddressPolicy } from './address-policy.ts'
import type { WebhookEndpoint } from './webhook-url.ts'

/** All addresses of a host name, in the order in which they should be tried. */
export type Resolve = (host: string) => Promise<readonly string[]>

export interface ConnectContext {
  readonly resolve: Resolve
  readonly policy: AddressPolicy
  readonly tls: ConnectionOptions
  readonly clock: Clock
  /** For everything together, milliseconds; where there are several addresses, each gets its share. */
  readonly timeoutMs: number
}

/** No later try could reach it: what it leads to is not allowed. */
export class AddressForbidden extends Error {}

/** More addresses of one name are not tried. */
const addressesMax = 4

/**
 * Connects to an address that the policy allows, TLS included. The name is resolved once, and what was looked at is what is connected to: a
 * name that answers differently the second time leads nowhere else. Throws AddressForbidden, or what went wrong; when the signal aborts, that.
 */
export async function connectTo(
  endpoint: WebhookEndpoint,
  context: ConnectContext,
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = await within(context, 1, signal, each =>
    addressesOf(endpoint.host, context.resolve, each),
  )
  const allowed = addresses
    .filter(address => context.policy.mayConnectTo(address))
    .slice(0, addressesMax)
  if (allowed.length === 0)
    throw new AddressForbidden(
      `${endpoint.host} leads to ${addresses.slice(0, addressesMax).join(', ')}: private and local addresses are not allowed`,
    )
  let failure: unknown
  for (const address of allowed) {
    signal.throwIfAborted()
    try {
      return await within(context, allowed.length, signal, each =>
        connectToAddress(address, endpoint, context.tls, each),
      )
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** Gives the work its share of the time. */
async function within<T>(
  { clock, timeoutMs }: ConnectContext,
  shares: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const cancel = clock.schedule(timeoutMs / shares, () =>
    late.abort(new Error(`no connection within ${timeoutMs / shares / 1000} s`)),
  )
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } finally {
    cancel()
  }
}

async function connectToAddress(
  address: string,
  { host, port, secure }: WebhookEndpoint,
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connectTcp({ host: address, port, noDelay: true })
  try {
    await opened(socket, 'connect', signal)
    if (!secure) return socket
    // An address is no server name (RFC 6066 section 3); the certificate is checked against it all the same.
    const name = isIP(host) === 0 ? { servername: host } : {}
    return await opened(connectTls({ ...tls, ...name, host, socket }), 'secureConnect', signal)
  } catch (error) {
    socket.on('error', () => undefined).destroy()
    throw error
  }
}

async function addressesOf(
  host: string,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason as Error)
  signal.addEventListener('abort', abort, { once: true })
  try {
    // A look-up cannot be stopped; nobody waits for it any longer.
    const addresses = await Promise.race([resolve(host), aborted.promise])
    if (addresses.length > 0) return addresses
    throw new Error(`${host} has no address`)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

async function opened<S extends Socket>(socket: S, event: string, signal: AbortSignal): Promise<S> {
  try {
    await once(socket, event, { signal })
    return socket
  } catch (error) {
    socket.on('error', () => undefined).destroy()
    throw signal.aborted ? signal.reason : new Error(describeError(error), { cause: error })
  }
}
