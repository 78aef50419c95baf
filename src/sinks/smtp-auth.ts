import { StreamsError } from '../errors.ts'
import type { SmtpCredentials } from './smtp-url.ts'

/** PLAIN (RFC 4616), LOGIN (never standardised, still met), XOAUTH2 (Google's and Microsoft's, with a token in place of the password). */
export const authMechanisms = ['PLAIN', 'LOGIN', 'XOAUTH2'] as const

export type AuthMechanism = (typeof authMechanisms)[number]

/** The login at the relay; user and password may stand in its URL instead. */
export interface SmtpAuthOptions {
  readonly user?: string
  readonly password?: string
  /** File with an OAuth 2 access token; read at each login, so that it can be replaced while we run. */
  readonly tokenFile?: string
  /** @default XOAUTH2 with a token, else what the relay offers: PLAIN before LOGIN */
  readonly mechanism?: AuthMechanism
}

/** A login with its secret. */
export interface ResolvedAuth {
  readonly user: string
  readonly password: string | null
  readonly tokenFile: string | null
  readonly mechanism: AuthMechanism | null
}

/** Joins the options with what stands in the URL. Throws CONFIGURATION_INVALID for what contradicts itself; null: nobody logs in. */
export function resolveAuth(
  options: SmtpAuthOptions,
  inUrl: SmtpCredentials | null,
): ResolvedAuth | null {
  if (inUrl !== null && options.user !== undefined) throw invalid('the user is given twice')
  if (inUrl !== null && inUrl.password !== '' && options.password !== undefined) {
    throw invalid('the password is given twice')
  }
  const user = options.user ?? inUrl?.user
  const password = options.password ?? (inUrl?.password === '' ? undefined : inUrl?.password)
  const { tokenFile, mechanism } = options
  if (user === undefined) {
    if (password === undefined && tokenFile === undefined && mechanism === undefined) return null
    throw invalid('there is a password, a token or a mechanism for the relay, but no user')
  }
  if (password !== undefined && tokenFile !== undefined) {
    throw invalid('there is a password and a token for the relay: keep one')
  }
  if (mechanism === 'XOAUTH2' && tokenFile === undefined) {
    throw invalid('XOAUTH2 needs a token file')
  }
  if (mechanism !== undefined && mechanism !== 'XOAUTH2' && tokenFile !== undefined) {
    throw invalid(`a token is for XOAUTH2, not for ${mechanism}`)
  }
  if (tokenFile === undefined && password === undefined) {
    throw invalid(`there is no password for the user ${user} of the relay`)
  }
  return {
    user,
    password: password ?? null,
    tokenFile: tokenFile ?? null,
    mechanism: mechanism ?? (tokenFile === undefined ? null : 'XOAUTH2'),
  }
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
