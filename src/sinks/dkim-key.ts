import { createPrivateKey, type KeyObject } from 'node:crypto'
import { describeError, StreamsError } from '../errors.ts'
import { asciiDomain } from './mail-address.ts'

/** One key of a domain that signs (RFC 6376). */
export interface DkimKeyOptions {
  /** Names the key: its public half stands at `<selector>._domainkey.<domain>` in the DNS. */
  readonly selector: string
  /** PEM, unencrypted: RSA of 1024 bits or more (RFC 8301), or Ed25519 (RFC 8463). */
  readonly privateKey: string
  /** Signs requests first seen from here on, milliseconds. @default since ever */
  readonly fromMs?: number
}

/** The keys of each domain; a domain also signs for those below it that have none. */
export type DkimOptions = Readonly<Record<string, readonly DkimKeyOptions[]>>

export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256'

export interface DkimKey {
  /** In ASCII. */
  readonly domain: string
  readonly selector: string
  readonly algorithm: DkimAlgorithm
  readonly key: KeyObject
  readonly fromMs: number
}

const domainName =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const modulusBitsMin = 1024

/** Reads and checks one key. Throws CONFIGURATION_INVALID; nothing of the key is part of the text. */
export function dkimKey(domainAsWritten: string, options: DkimKeyOptions): DkimKey {
  const domain = asciiDomain(domainAsWritten).toLowerCase()
  const { selector, privateKey, fromMs = Number.NEGATIVE_INFINITY } = options
  if (!domainName.test(domain)) throw invalid(`${JSON.stringify(domain)} is not a domain`)
  if (!domainName.test(selector.toLowerCase())) {
    throw invalid(`the selector ${JSON.stringify(selector)} is not a name in the DNS`)
  }
  const key = readKey(privateKey)
  return { domain, selector, algorithm: algorithmOf(key), key, fromMs }
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    throw invalid(`is not a private key in PEM without a passphrase: ${describeError(error)}`)
  }
}

function algorithmOf(key: KeyObject): DkimAlgorithm {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519-sha256'
  if (key.asymmetricKeyType !== 'rsa') {
    throw invalid(`is a key for ${key.asymmetricKeyType ?? 'nothing'}; allowed are RSA and Ed25519`)
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits >= modulusBitsMin) return 'rsa-sha256'
  throw invalid(`is an RSA key of ${bits} bits: receivers take none below ${modulusBitsMin}`)
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
