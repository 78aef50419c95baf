import type { CustomAuthenticationContext } from 'nodemailer/lib/smtp-connection'

/**
 * What `xoauth2` is called towards nodemailer: under its own name it would be left for PLAIN where the relay offers both, and the token sent
 * as a password.
 */
export const tokenMethod = 'TOKEN'

/**
 * The XOAUTH2 mechanism. nodemailer's own would fetch another token after a refusal and log in a second time; whoever keeps the file
 * with ours replaces it in time.
 */
export async function xoauth2(session: CustomAuthenticationContext): Promise<void> {
  const { user, pass } = session.auth.credentials
  const first = await session.sendCommand(`AUTH XOAUTH2 ${xoauth2Response(user, pass)}`)
  // 334 carries what is wrong, for programs; the reply that counts comes after an empty line.
  const last = first.status === 334 ? await session.sendCommand('') : first
  if (last.status !== 235) throw new Error('the relay refused the token')
}

/** What XOAUTH2 sends: the user and the token, each ended by a Ctrl-A. */
export function xoauth2Response(user: string, token: string): string {
  return Buffer.from(`user=${user}\x01auth=Bearer ${token}\x01\x01`).toString('base64')
}
