import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket, type ConnectionOptions } from 'node:tls'
import { StreamsError } from '../errors.ts'

/**
 * `opportunistic`: TLS where the relay offers it, whatever its certificate: against those who only listen (RFC 7435). `required`: TLS or
 * nothing, the certificate checked (RFC 8314). `pinned`: TLS or nothing, and the relay has to show a certain key, or a certificate
 * of a certain authority. `none`: clear text, even where TLS is offered.
 */
export const tlsPolicies = ['opportunistic', 'required', 'pinned', 'none'] as const

export type TlsPolicy = (typeof tlsPolicies)[number]

export interface SmtpTlsOptions {
  /** @default required with smtps://, opportunistic with smtp:// */
  readonly policy?: TlsPolicy
  /** Certificates to trust, PEM, in place of the well-known ones. Of `required` and `pinned`. */
  readonly ca?: string
  /** SHA-256 of the relay's public key (its SubjectPublicKeyInfo, DER; RFC 7469 section 2.4), base64 or hex: one of them has to match. Of `pinned`. */
  readonly pins?: readonly string[]
  /** The name that the certificate has to bear. @default the host of the URL */
  readonly serverName?: string
}

export interface ResolvedTls {
  readonly policy: TlsPolicy
  /** Whether a session in clear text is no session. */
  readonly needed: boolean
  /** Hex; empty where no key is asked for. */
  readonly pins: readonly string[]
  readonly connection: ConnectionOptions
}

/** Fills in and checks. Throws CONFIGURATION_INVALID for what contradicts itself: a check that is asked for and not made is worse than none. */
export function resolveTls(options: SmtpTlsOptions, fromFirstByte: boolean): ResolvedTls {
  const { policy = fromFirstByte ? 'required' : 'opportunistic', ca, serverName } = options
  const pins = (options.pins ?? []).map(checkedPin)
  const needed = policy === 'required' || policy === 'pinned'
  if (fromFirstByte && !needed) {
    throw invalid(`smtps:// is TLS from the first byte, which the TLS policy ${policy} is not`)
  }
  if (!needed && (ca !== undefined || serverName !== undefined)) {
    throw invalid(
      `no certificate is checked under the TLS policy ${policy}: take required or pinned, or no CA and no name`,
    )
  }
  if (policy !== 'pinned' && pins.length > 0) {
    throw invalid(`keys are pinned, but the TLS policy is ${policy}: take pinned`)
  }
  if (policy === 'pinned' && pins.length === 0 && ca === undefined) {
    throw invalid('the TLS policy pinned needs a pin or a CA')
  }
  // A key that is pinned vouches for itself: its certificate may be self-signed, expired or for another name.
  const rejectUnauthorized = policy === 'required' || (policy === 'pinned' && ca !== undefined)
  return {
    policy,
    needed,
    pins,
    connection: {
      rejectUnauthorized,
      ...(ca === undefined ? {} : { ca }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
  }
}

/** Why nothing may be said on this connection, or null. Asked before the login, whatever the client below says it has checked. */
export function tlsRefusal(socket: Socket, tls: ResolvedTls): string | null {
  if (!tls.needed) return null
  if (!(socket instanceof TLSSocket)) {
    return `the relay offers no STARTTLS, and the TLS policy is ${tls.policy}: nothing is sent in clear text`
  }
  if (tls.connection.rejectUnauthorized === true && !socket.authorized) {
    return 'the certificate of the relay is not trusted'
  }
  if (tls.pins.length === 0) return null
  const key = publicKeyHex(socket)
  return tls.pins.includes(key)
    ? null
    : `the public key of the relay is not the pinned one: its SHA-256 is ${key}`
}

function publicKeyHex(socket: TLSSocket): string {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' })
  return key === undefined ? '' : createHash('sha256').update(key).digest('hex')
}

/** A pin as hex; written in hex, with or without colons, or in base64, with or without the name of the hash before it. */
export function hexOfPin(text: string): string | undefined {
  const pin = text.replace(/^sha256(\/\/|[:/])/i, '')
  const hex = pin.replaceAll(':', '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(hex)) return hex
  const isBase64 = /^[A-Za-z0-9+/]{43}=?$/.test(pin)
  return isBase64 ? Buffer.from(pin, 'base64').toString('hex') : undefined
}

function checkedPin(text: string): string {
  const pin = hexOfPin(text)
  if (pin !== undefined) return pin
  throw invalid(`the pin ${JSON.stringify(text)} is not a SHA-256 in base64 or hex`)
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
