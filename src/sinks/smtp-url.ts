import { StreamsError } from '../errors.ts'

export interface SmtpCredentials {
  readonly user: string
  readonly password: string
}

export interface SmtpEndpoint {
  readonly host: string
  readonly port: number
  /** TLS from the first byte. */
  readonly secure: boolean
  readonly credentials: SmtpCredentials | null
  /** `host:port`, for people and records. */
  readonly name: string
}

const portDefaults: Readonly<Record<string, number>> = { 'smtp:': 25, 'smtps:': 465 }

/** Reads `smtp://[user:password@]host[:port]` or `smtps://…`. Throws CONFIGURATION_INVALID, without the URL: it may hold a password. */
export function parseSmtpUrl(text: string): SmtpEndpoint {
  const url = URL.parse(text)
  const portDefault = portDefaults[url?.protocol ?? '']
  if (url === null || portDefault === undefined || url.hostname === '')
    throw invalid('smtp://HOST:PORT or smtps://HOST:PORT')
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    throw invalid('nothing after the port')
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? portDefault : Number(url.port)
  const user = decode(url.username)
  const credentials = user === '' ? null : { user, password: decode(url.password) }
  return {
    host,
    port,
    secure: url.protocol === 'smtps:',
    credentials,
    name: `${url.hostname}:${port}`,
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('user and password percent-encoded')
  }
}

function invalid(allowed: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', `the SMTP URL is not valid; allowed: ${allowed}`)
}
