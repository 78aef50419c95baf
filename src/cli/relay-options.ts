import { describeError, StreamsError } from '../errors.ts'
import { resolveAuth, type AuthMechanism } from '../sinks/smtp-auth.ts'
import type { SmtpSinkOptions } from '../sinks/smtp-options.ts'
import { resolveTls, type TlsPolicy } from '../sinks/smtp-tls.ts'
import { parseSmtpUrl } from '../sinks/smtp-url.ts'
import type { Configuration } from './configuration.ts'
import { filePath, hostName, keyPins, onOff } from './parsers.ts'
import { relayParsers } from './relay-parsers.ts'
import type { Secret } from './secret.ts'
import { readConfiguredFile, secretOf } from './secrets.ts'
import { object, optional, plain } from './structure.ts'

/** How to reach one relay, as configured: files not read yet. */
export interface RelaySettings {
  readonly url: Secret
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  readonly passwordFile?: string | undefined
  readonly tokenFile?: string | undefined
  readonly authMechanism?: AuthMechanism | undefined
  readonly insecureAuth?: boolean | undefined
  readonly recipientsMax?: number | undefined
  readonly tls?:
    | {
        readonly policy?: TlsPolicy | undefined
        readonly caFile?: string | undefined
        readonly pins?: readonly string[] | undefined
        readonly serverName?: string | undefined
      }
    | undefined
}

const tlsShape = object({
  policy: optional(plain(relayParsers.tlsPolicy)),
  caFile: optional(plain(filePath('FILE'))),
  pins: optional(plain(keyPins)),
  serverName: optional(plain(hostName)),
})

/** The keys of one relay inside a section with several; those of `smtp` stand in the table of settings. */
export const relayShapes = Object.freeze({
  url: plain(relayParsers.url),
  username: optional(plain(relayParsers.username)),
  passwordFile: optional(plain(filePath('FILE'))),
  tokenFile: optional(plain(filePath('FILE'))),
  authMechanism: optional(plain(relayParsers.authMechanism)),
  insecureAuth: optional(plain(onOff)),
  recipientsMax: optional(plain(relayParsers.recipientsMax)),
  tls: optional(tlsShape),
})

/** The relay of `smtp.url` and its neighbours. */
export function relayOfSmtp(configuration: Configuration): RelaySettings {
  return {
    url: configuration.smtp,
    username: configuration.smtpUsername,
    password: configuration.smtpPassword,
    passwordFile: configuration.smtpPasswordFile,
    tokenFile: configuration.smtpTokenFile,
    authMechanism: configuration.smtpAuthMechanism,
    insecureAuth: configuration.smtpInsecureAuth,
    recipientsMax: configuration.smtpRecipientsMax,
    tls: {
      policy: configuration.smtpTlsPolicy,
      caFile: configuration.smtpTlsCaFile,
      pins: configuration.smtpTlsPins,
      serverName: configuration.smtpTlsServerName,
    },
  }
}

/** What a sink is given of a relay's keys. */
export type RelayOptions = Required<
  Pick<SmtpSinkOptions, 'url' | 'auth' | 'tls' | 'insecureAuth' | 'recipientsMax'>
>

/**
 * What a sink is given for one relay, with its files read and everything checked that can be checked without it. `place` is where its keys
 * stand. Throws CONFIGURATION_INVALID, naming the place; no secret is part of the text.
 */
export async function relayOptions(place: string, settings: RelaySettings): Promise<RelayOptions> {
  const {
    username,
    tokenFile,
    authMechanism,
    insecureAuth,
    recipientsMax = 100,
    tls: { policy, caFile } = {},
  } = settings
  const { pins, serverName } = settings.tls ?? {}
  const url = settings.url.reveal()
  const password = await secretOf(`${place}.password`, settings.password, settings.passwordFile)
  const ca =
    caFile === undefined ? undefined : await readConfiguredFile(`${place}.tls.ca-file`, caFile)
  if (tokenFile !== undefined) await readConfiguredFile(`${place}.token-file`, tokenFile)
  const auth = {
    ...(username === undefined ? {} : { user: username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(authMechanism === undefined ? {} : { mechanism: authMechanism }),
  }
  const tls = {
    ...(policy === undefined ? {} : { policy }),
    ...(ca === undefined ? {} : { ca }),
    ...(pins === undefined ? {} : { pins }),
    ...(serverName === undefined ? {} : { serverName }),
  }
  const { secure, credentials } = at(place, () => parseSmtpUrl(url))
  at(place, () => resolveAuth(auth, credentials))
  at(`${place}.tls`, () => resolveTls(tls, secure))
  return { url, auth, tls, insecureAuth: insecureAuth ?? false, recipientsMax }
}

function at<T>(place: string, check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw new StreamsError('CONFIGURATION_INVALID', `${place}: ${describeError(error)}`)
  }
}
