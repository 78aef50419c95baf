import { readFile } from 'node:fs/promises'
import { describeError } from '../errors.ts'
import type { ResolvedAuth } from './smtp-auth.ts'
import type { SmtpLink } from './smtp-link.ts'
import { tokenMethod, xoauth2Response } from './xoauth2.ts'

/**
 * Logs in on a session that is open. Rejects with why it did not work; whatever that is (535, 454, a token that cannot be read), it is about
 * the relay as a whole and no reason to give up a mail. `secrets` receives what must never be shown, as soon as it is known.
 */
export async function logIn(
  link: SmtpLink,
  auth: ResolvedAuth,
  options: { readonly insecureAuth: boolean; readonly secrets: string[] },
): Promise<void> {
  const { user, tokenFile } = auth
  if (!link.overTls && !link.toLoopback && !options.insecureAuth) {
    throw new Error(
      'the relay offers no TLS: the login is not sent in clear text unless insecure authentication is allowed',
    )
  }
  const secret = tokenFile === null ? (auth.password ?? '') : await readToken(tokenFile)
  options.secrets.push(...formsOf(user, secret))
  const mechanism = auth.mechanism ?? chooseMechanism(link.authMechanisms)
  const method = mechanism === 'XOAUTH2' ? tokenMethod : mechanism
  return new Promise((resolve, reject) => {
    link.connection.login({ user, pass: secret, method }, error =>
      error ? reject(error) : resolve(),
    )
  })
}

function chooseMechanism(offered: readonly string[]): 'PLAIN' | 'LOGIN' {
  if (offered.includes('PLAIN')) return 'PLAIN'
  if (offered.includes('LOGIN')) return 'LOGIN'
  const what = offered.length === 0 ? 'no login' : `logins by ${offered.join(', ')} alone`
  throw new Error(`the relay offers ${what}, not PLAIN or LOGIN, but there is a password for it`)
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new Error(`the token for the relay cannot be read: ${describeError(error)}`)
  })
  const token = text.trim()
  // Anything else would end the field, or the command, early.
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new Error(`the token for the relay in ${path} is empty or not a token`)
}

/** Every form in which a relay could repeat the secret that it was sent. */
function formsOf(user: string, secret: string): readonly string[] {
  if (secret === '') return []
  return [xoauth2Response(user, secret), base64(`\0${user}\0${secret}`), base64(secret), secret]
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
