import { StreamsError } from '../errors.ts'
import { logIn } from './log-in.ts'
import { describeSessionError, SmtpLink, type SessionError } from './smtp-link.ts'
import type { ResolvedSmtpOptions } from './smtp-options.ts'
import { tlsRefusal } from './smtp-tls.ts'

/**
 * Connects, greets, takes STARTTLS as the TLS policy says and logs in. Rejects with RELAY_UNAVAILABLE and one line that says why; the
 * password is never part of it.
 */
export async function openLink(
  options: ResolvedSmtpOptions,
  signal: AbortSignal,
): Promise<SmtpLink> {
  const link = new SmtpLink(options)
  const limitMs = options.connectTimeoutMs + options.greetingTimeoutMs + 2 * options.replyTimeoutMs
  const { promise: broken, reject } = Promise.withResolvers<never>()
  const cancel = options.clock.schedule(limitMs, () =>
    reject(new Error('the session was not set up in time')),
  )
  const abort = (): void => reject(new Error('stopped while connecting'))
  signal.addEventListener('abort', abort, { once: true })
  link.onEnd = (reason, error) => reject(error ?? new Error(reason))
  if (signal.aborted) abort()
  const secrets: string[] = []
  try {
    await Promise.race([setUp(link, options, secrets), broken])
    link.adopt()
    return link
  } catch (error) {
    link.drop()
    throw new StreamsError('RELAY_UNAVAILABLE', redact(reasonOf(error, options), secrets))
  } finally {
    link.onEnd = () => undefined
    cancel()
    signal.removeEventListener('abort', abort)
  }
}

async function setUp(
  link: SmtpLink,
  options: ResolvedSmtpOptions,
  secrets: string[],
): Promise<void> {
  const { auth, insecureAuth, tls } = options
  await new Promise<void>((resolve, reject) => {
    link.connection.connect(error => (error ? reject(error) : resolve()))
  })
  const refusal = tlsRefusal(link.socket, tls)
  if (refusal !== null) throw new Error(refusal)
  if (auth !== null) await logIn(link, auth, { insecureAuth, secrets })
}

function reasonOf(error: unknown, { tls }: ResolvedSmtpOptions): string {
  const session = error as SessionError
  const reason = describeSessionError(session)
  // The client asks for STARTTLS whether it is offered or not.
  return tls.needed && session.command === 'STARTTLS' && session.response !== undefined
    ? `the relay refuses STARTTLS, and the TLS policy is ${tls.policy}: nothing is sent in clear text: ${reason}`
    : reason
}

/** A relay may repeat what it was sent. */
function redact(line: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '***'), line)
}
