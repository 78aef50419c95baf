import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { describeError, StreamsError } from '../errors.ts'
import type { FlagValues } from './command.ts'

const plainFlags = {
  'request-id': 'requestId',
  source: 'source',
  from: 'from',
  'reply-to': 'replyTo',
  subject: 'subject',
  text: 'text',
  html: 'html',
  'not-before': 'notBefore',
  'expires-at': 'expiresAt',
} as const

const contentTypes: Readonly<Record<string, string>> = {
  '.txt': 'text/plain; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.csv': 'text/csv; charset=utf-8',
  '.json': 'application/json',
  '.pdf': 'application/pdf',
  '.zip': 'application/zip',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.ics': 'text/calendar; charset=utf-8',
}

/** Flags that describe a single request: none of them goes with a file. `source` goes with both. */
export function requestFlagsIn(flags: FlagValues): readonly string[] {
  return [...flags.keys()].filter(name => name !== 'file' && name !== 'source')
}

/** The flags of one request as a plain value. Throws CONFIGURATION_INVALID. */
export async function plainFromFlags(flags: FlagValues): Promise<Record<string, unknown>> {
  const plain: Record<string, unknown> = {}
  for (const list of ['to', 'cc', 'bcc'] as const) {
    if (flags.has(list)) plain[list] = flags.get(list)
  }
  for (const [flag, field] of Object.entries(plainFlags)) {
    const value = flags.get(flag)?.[0]
    if (value !== undefined) plain[field] = value
  }
  for (const [flag, field] of [
    ['priority', 'priority'],
    ['in-doubt', 'inDoubt'],
  ] as const) {
    const value = flags.get(flag)?.[0]
    if (value !== undefined) plain[field] = value.toUpperCase()
  }
  if (flags.has('header')) plain['headers'] = pairs('header', flags)
  if (flags.has('attach')) {
    plain['attachments'] = await Promise.all(
      (flags.get('attach') ?? []).map(path => attachment(path)),
    )
  }
  if (flags.has('callback') || flags.has('callback-context') || flags.has('callback-url')) {
    const url = flags.get('callback-url')?.[0]
    plain['callback'] = {
      context: pairs('callback-context', flags),
      ...(url === undefined ? {} : { url }),
    }
  }
  const unsubscribe = unsubscribeFrom(flags)
  if (unsubscribe !== undefined) plain['unsubscribe'] = unsubscribe
  for (const flag of ['to', 'subject'] as const) {
    const given =
      flag === 'to' ? ['to', 'cc', 'bcc'].some(list => flags.has(list)) : flags.has(flag)
    if (!given) throw usage(`send needs --${flag}, or --file: see mailonce send --help`)
  }
  return { to: [], ...plain }
}

function unsubscribeFrom(flags: FlagValues): Record<string, unknown> | undefined {
  const url = flags.get('unsubscribe-url')?.[0]
  const mailto = flags.get('unsubscribe-mailto')?.[0]
  const oneClick = flags.has('unsubscribe-one-click')
  if (url === undefined && mailto === undefined && !oneClick) return undefined
  return {
    ...(url === undefined ? {} : { url }),
    ...(mailto === undefined ? {} : { mailto }),
    oneClick,
  }
}

function pairs(flag: string, flags: FlagValues): Record<string, string> {
  const entries = (flags.get(flag) ?? []).map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw usage(`--${flag}: ${JSON.stringify(text)} is not NAME=VALUE`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(entries)
}

async function attachment(path: string): Promise<Record<string, string>> {
  const content = await readFile(path).catch((error: unknown) => {
    throw usage(`--attach: ${path} cannot be read: ${describeError(error)}`)
  })
  const contentType = contentTypes[extname(path).toLowerCase()] ?? 'application/octet-stream'
  return { filename: basename(path), contentType, content: content.toString('base64') }
}

function usage(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
