import { systemClock, type Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import { silentLogger, type Logger } from '../log.ts'
import type { DkimOptions } from './dkim-key.ts'
import { DkimKeys } from './dkim-keys.ts'
import { type Idempotency, isIdempotencyHeader } from './idempotency.ts'
import type { MailRequest } from './mail-request.ts'
import { resolveAuth, type ResolvedAuth, type SmtpAuthOptions } from './smtp-auth.ts'
import { resolveTls, type ResolvedTls, type SmtpTlsOptions } from './smtp-tls.ts'
import type { ReplyRule } from './reply-rule.ts'
import { parseSmtpUrl, type SmtpEndpoint } from './smtp-url.ts'

export interface SmtpSinkOptions {
  /** `smtp://[user:password@]host[:port]`, or `smtps://…` for TLS from the first byte. */
  readonly url: string
  /** The sender of requests that name none: a bare address. */
  readonly from: string
  /** Keys that sign mail, by the domain of its sender. @default nothing is signed */
  readonly dkim?: DkimOptions
  /** Connections to the relay, 1 to 1000: tries that may be under way at once. @default 20 */
  readonly connectionsMax?: number
  /** Who logs in, and how. @default as the URL says, or nobody */
  readonly auth?: SmtpAuthOptions
  /** Lets the login travel in clear text to a host that is not loopback. @default false */
  readonly insecureAuth?: boolean
  /** When TLS is used and what is checked. @default STARTTLS when offered, certificate not checked; with smtps:// checked */
  readonly tls?: SmtpTlsOptions
  /** Recipients of one transaction, 1 to 10 000; every relay takes 100 (RFC 5321 section 4.5.3.1.8). @default 100 */
  readonly recipientsMax?: number
  /** How replies are read, before the built-in rules. @default none */
  readonly replyRules?: readonly ReplyRule[]
  /** What EHLO says. @default the machine's name, or [127.0.0.1] when that is no domain */
  readonly clientName?: string
  /** Longest wait for name lookup, TCP and TLS, milliseconds. @default 30_000 */
  readonly connectTimeoutMs?: number
  /** Longest wait for the greeting, milliseconds. @default 60_000 */
  readonly greetingTimeoutMs?: number
  /** Longest wait for any other reply before the body, milliseconds. @default 60_000 */
  readonly replyTimeoutMs?: number
  /** Body and hold together, milliseconds: some relays close after 10 s under stress. @default 5_000 */
  readonly holdTimeoutMs?: number
  /** Silence after the final dot that ends in doubt, milliseconds (RFC 5321 section 4.5.3.2.6). @default 600_000 */
  readonly dotTimeoutMs?: number
  /** How long a connection is kept unused, milliseconds. @default 30_000 */
  readonly idleTimeoutMs?: number
  /** Mails after which a connection is replaced; Exim has the same default. @default 500 */
  readonly mailsPerConnectionMax?: number
  /** Declares that the relay recognises repetitions. @default none */
  readonly idempotency?: Idempotency
  /**
   * Names a mail in the reports about it, as text without spaces of at most 100 characters; null for one without a name. A relay that
   * offers DSN (RFC 3461) is asked to report failures under it. @default no mail has one
   */
  readonly envelopeIdOf?: (request: MailRequest) => string | null
  readonly clock?: Clock
  readonly log?: Logger
}

export type ResolvedSmtpOptions = Required<
  Omit<SmtpSinkOptions, 'url' | 'clientName' | 'auth' | 'tls' | 'dkim' | 'idempotency'>
> & {
  readonly endpoint: SmtpEndpoint
  readonly auth: ResolvedAuth | null
  readonly tls: ResolvedTls
  readonly dkim: DkimKeys
  readonly idempotency: Idempotency | null
  readonly clientName: string | null
}

const defaults = Object.freeze({
  connectionsMax: 20,
  insecureAuth: false,
  recipientsMax: 100,
  replyRules: Object.freeze([]),
  clientName: null,
  idempotency: null,
  connectTimeoutMs: 30_000,
  greetingTimeoutMs: 60_000,
  replyTimeoutMs: 60_000,
  holdTimeoutMs: 5_000,
  dotTimeoutMs: 600_000,
  idleTimeoutMs: 30_000,
  mailsPerConnectionMax: 500,
  envelopeIdOf: () => null,
  clock: systemClock,
  log: silentLogger,
})

/** Copies, fills in and checks. Throws CONFIGURATION_INVALID. */
export function resolveSmtpOptions(options: SmtpSinkOptions): ResolvedSmtpOptions {
  const { url, auth = {}, tls = {}, dkim = {}, ...rest } = options
  const endpoint = parseSmtpUrl(url)
  const resolved = {
    ...defaults,
    ...rest,
    endpoint,
    auth: resolveAuth(auth, endpoint.credentials),
    tls: resolveTls(tls, endpoint.secure),
    dkim: new DkimKeys(dkim),
  }
  inRange('connectionsMax', resolved.connectionsMax, 1000)
  inRange('recipientsMax', resolved.recipientsMax, 10_000)
  inRange('mailsPerConnectionMax', resolved.mailsPerConnectionMax, 1_000_000)
  for (const name of ['connect', 'greeting', 'reply', 'hold', 'dot', 'idle'] as const) {
    inRange(`${name}TimeoutMs`, resolved[`${name}TimeoutMs`], 3_600_000)
  }
  const { header } = resolved.idempotency ?? {}
  if (header !== undefined && !isIdempotencyHeader(header)) {
    const message = `${JSON.stringify(header)} cannot be the header of idempotency keys`
    throw new StreamsError('CONFIGURATION_INVALID', message)
  }
  if (!/^[^\s@]+@[^\s@]+$/.test(resolved.from)) {
    throw new StreamsError('CONFIGURATION_INVALID', `from is not a bare address: ${resolved.from}`)
  }
  return resolved
}

function inRange(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return
  throw new StreamsError('CONFIGURATION_INVALID', `${name} is ${value}; allowed: 1 to ${max}`)
}
