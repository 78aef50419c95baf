import { StreamsError } from '../errors.ts'
import { isNetwork } from '../sinks/address-policy.ts'
import type { WebhookSinkOptions } from '../sinks/webhook-options.ts'
import {
  durationMs,
  onOff,
  type Parser,
  scheduleMs,
  secretText,
  textLike,
  unitsMs,
  wholeNumber,
} from './parsers.ts'
import type { Secret } from './secret.ts'
import { readConfiguredFile, secretOf } from './secrets.ts'
import { listOf, object, optional, plain } from './structure.ts'

const filePath = textLike('FILE', /^[^\0]+$/, 'a path')

const network: Parser<string> = {
  placeholder: 'NETWORK',
  allowed: 'a network such as 10.1.0.0/16 or fd00::/8',
  parse: text => (isNetwork(text) ? text : undefined),
}

/** Standard Webhooks' schedule: ten tries over three days. */
const retryDefaultMs = scheduleMs.parse('5s,5m,30m,2h,5h,10h,14h,20h,24h')!

/** The section `webhooks` of the configuration. */
export const webhookSection = object({
  keys: optional(
    listOf(object({ secret: optional(plain(secretText)), file: optional(plain(filePath)) }), {
      max: 10,
    }),
    [],
  ),
  retry: optional(plain(scheduleMs), retryDefaultMs),
  timeout: optional(plain(durationMs({ min: unitsMs.s, max: unitsMs.m })), 15_000),
  connections: optional(plain(wholeNumber({ min: 1, max: 1000 })), 50),
  hostConnections: optional(plain(wholeNumber({ min: 1, max: 1000 })), 10),
  allowHttp: optional(plain(onOff), false),
  allowPrivate: optional(listOf(plain(network), { max: 100 }), []),
  responseBytes: optional(plain(wholeNumber({ min: 0, max: 10_000_000 })), 65_536),
  caFile: optional(plain(filePath)),
})

export type WebhookSection = ReturnType<(typeof webhookSection)['read']>

/** Reads what the section names: keys and certificates. Throws CONFIGURATION_INVALID. */
export async function webhookSinkOptions(
  section: WebhookSection,
): Promise<Omit<WebhookSinkOptions, 'clock' | 'resolve'>> {
  const { keys, timeout, connections, allowHttp, allowPrivate, responseBytes, caFile } = section
  const ca =
    caFile === undefined ? {} : { ca: await readConfiguredFile('webhooks.ca-file', caFile) }
  return {
    keys: await Promise.all(keys.map(keyOf)),
    timeoutMs: timeout,
    connectionsMax: connections,
    allowHttp,
    allowPrivate,
    responseBytesMax: responseBytes,
    tls: ca,
  }
}

const keyBytesMin = 24
const keyBytesMax = 64

async function keyOf(
  { secret, file }: WebhookSection['keys'][number],
  index: number,
): Promise<Buffer> {
  const place = `webhooks.keys[${index}]`
  const found = await secretOf(`${place}.secret`, secret, file)
  const bytes = found === undefined ? undefined : keyBytes(found)
  if (bytes !== undefined) return bytes
  const what = found === undefined ? 'has neither a secret nor a file' : 'is no key for webhooks'
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `${place} ${what}: whsec_ and base64 of ${keyBytesMin} to ${keyBytesMax} random bytes, made with: echo whsec_$(openssl rand -base64 32)`,
  )
}

/** As Standard Webhooks writes secrets; undefined for anything else. */
function keyBytes(secret: Secret): Buffer | undefined {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.reveal()) ?? []
  if (base64 === undefined) return undefined
  const bytes = Buffer.from(base64, 'base64')
  return bytes.length >= keyBytesMin && bytes.length <= keyBytesMax ? bytes : undefined
}
