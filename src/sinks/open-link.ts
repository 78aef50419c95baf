import { StreamsError } from '../errors.ts'
import { describeSessionError, SmtpLink, type SessionError } from './smtp-link.ts'
import type { ResolvedSmtpOptions } from './smtp-options.ts'
import type { SmtpCredentials } from './smtp-url.ts'

/**
 * Connects, greets, takes STARTTLS where it is offered and logs in. Rejects with RELAY_UNAVAILABLE and one line that says why; the
 * password is never part of it.
 */
export async function openLink(
  options: ResolvedSmtpOptions,
  signal: AbortSignal,
): Promise<SmtpLink> {
  const link = new SmtpLink(options)
  const { credentials } = options.endpoint
  const limitMs = options.connectTimeoutMs + options.greetingTimeoutMs + 2 * options.replyTimeoutMs
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = options.clock.schedule(limitMs, () =>
    reject(new Error('the session was not set up in time')),
  )
  const abort = (): void => reject(new Error('stopped while connecting'))
  signal.addEventListener('abort', abort, { once: true })
  link.onEnd = (reason, error) => reject(error ?? new Error(reason))
  try {
    const login = (): void => {
      const refusal = credentials === null ? null : clearTextRefusal(link, options)
      if (refusal !== null) return reject(new Error(refusal))
      if (credentials === null) return resolve()
      const { user, password: pass } = credentials
      link.connection.login({ user, pass }, error => (error ? reject(error) : resolve()))
    }
    link.connection.connect(error => (error ? reject(error) : login()))
    if (signal.aborted) abort()
    await promise
    return link
  } catch (error) {
    link.drop()
    const reason = redact(describeSessionError(error as SessionError), credentials)
    throw new StreamsError('RELAY_UNAVAILABLE', reason)
  } finally {
    link.onEnd = () => undefined
    cancel()
    signal.removeEventListener('abort', abort)
  }
}

function clearTextRefusal(link: SmtpLink, options: ResolvedSmtpOptions): string | null {
  if (link.overTls || link.toLoopback || options.insecureAuth) return null
  return 'the relay offers no TLS: user and password are not sent in clear text unless insecure authentication is allowed'
}

/** A relay may repeat what it was sent. */
function redact(line: string, credentials: SmtpCredentials | null): string {
  if (credentials === null || credentials.password === '') return line
  const { user, password } = credentials
  const plain = Buffer.from(`\0${user}\0${password}`).toString('base64')
  const forms = [password, Buffer.from(password).toString('base64'), plain]
  return forms.reduce((text, form) => text.replaceAll(form, '***'), line)
}
