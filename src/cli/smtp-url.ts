import { StreamsError } from '../errors.ts'
import type { Configuration } from './configuration.ts'
import { Secret } from './secret.ts'
import { secretOf } from './secrets.ts'

/** The relay's URL with user and password, wherever they were given. Throws CONFIGURATION_INVALID. */
export async function smtpUrl(configuration: Configuration): Promise<Secret> {
  const { smtp, smtpUsername: username, smtpPassword, smtpPasswordFile } = configuration
  const password = await secretOf('smtp.password', smtpPassword, smtpPasswordFile)
  if (username === undefined && password === undefined) return smtp
  const url = new URL(smtp.reveal())
  if (url.username !== '' && username !== undefined) {
    throw invalid('the user stands in the URL of --smtp and in smtp.username: keep one')
  }
  if (url.password !== '' && password !== undefined) {
    throw invalid('the password stands in the URL of --smtp and in smtp.password: keep one')
  }
  if (username !== undefined) url.username = encodeURIComponent(username)
  if (password !== undefined) url.password = encodeURIComponent(password.reveal())
  if (url.username === '') throw invalid('smtp.password is given without a user: set smtp.username')
  return new Secret(url.href, smtp.display)
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
