import { hexOfPin } from '../sinks/smtp-tls.ts'
import { Secret } from './secret.ts'

/** Turns the text of a flag, a variable or a file into a value. */
export interface Parser<T> {
  /** What stands for the value in `--help`; a switch has none. */
  readonly placeholder: string | undefined
  /** Completes the sentence "… is not", for the error. */
  readonly allowed: string
  /** Undefined for what is not allowed. */
  parse(text: string): T | undefined
  /** How a wrong value may be shown; undefined when it may not be shown at all. */
  readonly show?: (text: string) => string | undefined
  /** A section of the file with maps and lists in it; its text is JSON. */
  readonly structured?: true
  /** Of a structured one: throws CONFIGURATION_INVALID, naming the place within it. */
  readonly read?: (text: string, place: string) => T
}

export interface HostPort {
  readonly host: string
  readonly port: number
}

export const unitsMs = Object.freeze({ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 })

function parseDurationMs(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  return Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]
}

/** Writes milliseconds the way `durationMs` reads them, in the largest unit that fits. */
export function durationText(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (milliseconds > 0 && milliseconds % unitsMs[unit] === 0)
      return `${milliseconds / unitsMs[unit]}${unit}`
  }
  return `${milliseconds}ms`
}

/** `500ms`, `30s`, `10m`, `12h`, `7d`, as milliseconds. */
export function durationMs(bounds: { readonly min: number; readonly max: number }): Parser<number> {
  return {
    placeholder: 'DURATION',
    allowed: `a duration such as 500ms, 30s, 10m, 12h or 7d, from ${durationText(bounds.min)} to ${durationText(bounds.max)}`,
    parse: text => {
      const value = parseDurationMs(text)
      return value === undefined || value < bounds.min || value > bounds.max ? undefined : value
    },
  }
}

const unitsBytes = Object.freeze({ kB: 1000, MB: 1000 ** 2, GB: 1000 ** 3 })

/** `512MB`, `2GB`, as bytes; units are decimal (ISO/IEC 80000-13). */
export function byteSize(bounds: { readonly min: number; readonly max: number }): Parser<number> {
  return {
    placeholder: 'SIZE',
    allowed: `a size such as 512MB or 2GB, from ${bounds.min / unitsBytes.MB}MB to ${bounds.max / unitsBytes.MB}MB`,
    parse: text => {
      const match = /^(\d{1,12})(kB|MB|GB)$/.exec(text)
      const bytes = Number(match?.[1]) * unitsBytes[match?.[2] as keyof typeof unitsBytes]
      return bytes >= bounds.min && bytes <= bounds.max ? bytes : undefined
    },
  }
}

const retriesMax = 1000

/** Delays before each retry; `3hx31` stands for 31 times `3h`, `none` for no retry at all. */
export const scheduleMs: Parser<readonly number[]> = {
  placeholder: 'SCHEDULE',
  allowed: `a list of at most ${retriesMax} durations such as 30s,2m,10m or 30m,3hx31, or none`,
  parse: text => {
    if (text === 'none') return []
    const delays: number[] = []
    for (const part of text.split(',')) {
      const match = /^(.+?)(?:x(\d{1,4}))?$/.exec(part.trim())
      const delayMs = parseDurationMs(match?.[1] ?? '')
      const times = Number(match?.[2] ?? 1)
      if (delayMs === undefined || delayMs > 30 * unitsMs.d || times < 1) return undefined
      if (delays.length + times > retriesMax) return undefined
      for (let time = 0; time < times; time += 1) delays.push(delayMs)
    }
    return delays
  },
}

function parseHostPort(text: string, portMin: number): HostPort | undefined {
  const match = /^(\[[0-9a-fA-F:.%]+\]|[^\s:/@,[\]]+):(\d{1,5})$/.exec(text)
  const host = match?.[1]
  const port = Number(match?.[2])
  if (host === undefined || !(port >= portMin && port <= 65_535)) return undefined
  return { host: host.replaceAll(/[[\]]/g, ''), port }
}

export function hostPortText(at: HostPort): string {
  return at.host.includes(':') ? `[${at.host}]:${at.port}` : `${at.host}:${at.port}`
}

/** Where to listen; port 0 takes a free one. */
export const listenAddress: Parser<HostPort> = {
  placeholder: 'HOST:PORT',
  allowed: 'HOST:PORT such as 127.0.0.1:8080 or [::1]:8080, with a port from 0 to 65535',
  parse: text => parseHostPort(text, 0),
}

/** Where others reach something. */
export const reachableAddress: Parser<HostPort> = {
  placeholder: 'HOST:PORT',
  allowed: 'HOST:PORT such as mailonce-1:8080, with a port from 1 to 65535',
  parse: text => parseHostPort(text, 1),
}

export const hostPorts: Parser<readonly HostPort[]> = {
  placeholder: 'HOST:PORT,…',
  allowed: 'a list of HOST:PORT such as kafka-1:9092,kafka-2:9092, with ports from 1 to 65535',
  parse: text => {
    const all = text.split(',').map(part => parseHostPort(part.trim(), 1))
    return all.every(one => one !== undefined) ? all : undefined
  },
}

/** What stands before the last @ may be a password. */
function withoutCredentials(text: string): string {
  return text.replace(/^.*@/s, '…@')
}

/** A URL with a host, which may hold a password: it displays without user and password. */
export function serverUrl(...protocols: readonly string[]): Parser<Secret> {
  const examples = protocols.map(protocol => `${protocol}://HOST:PORT`).join(' or ')
  return {
    placeholder: 'URL',
    allowed: `a URL such as ${examples}`,
    parse: text => {
      const url = URL.parse(text)
      if (url === null || url.hostname === '' || !protocols.includes(url.protocol.slice(0, -1)))
        return undefined
      const display = new URL(url)
      display.username = ''
      display.password = ''
      return new Secret(text, display.href.replace(/\/$/, ''))
    },
    show: withoutCredentials,
  }
}

/** `20`, `0.5`. */
export function decimalNumber(bounds: {
  readonly min: number
  readonly max: number
}): Parser<number> {
  return {
    placeholder: 'N',
    allowed: `a number from ${bounds.min} to ${bounds.max}`,
    parse: text => {
      const value = /^\d{1,10}(?:\.\d{1,6})?$/.test(text) ? Number(text) : NaN
      return value >= bounds.min && value <= bounds.max ? value : undefined
    },
  }
}

export function wholeNumber(bounds: {
  readonly min: number
  readonly max: number
}): Parser<number> {
  return {
    placeholder: 'N',
    allowed: `a whole number from ${bounds.min} to ${bounds.max}`,
    parse: text => {
      const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
      return value >= bounds.min && value <= bounds.max ? value : undefined
    },
  }
}

export function oneOf<const Choice extends string>(...choices: readonly Choice[]): Parser<Choice> {
  return {
    placeholder: choices.join('|'),
    allowed: choices.join(' or '),
    parse: text => choices.find(choice => choice === text),
  }
}

export const onOff: Parser<boolean> = {
  placeholder: undefined,
  allowed: 'true or false',
  parse: text => (text === 'true' ? true : text === 'false' ? false : undefined),
}

/** Text that fits a pattern. */
export function textLike(placeholder: string, pattern: RegExp, allowed: string): Parser<string> {
  return { placeholder, allowed, parse: text => (pattern.test(text) ? text : undefined) }
}

export const secretText: Parser<Secret> = {
  placeholder: 'SECRET',
  allowed: 'a secret of at least one character',
  parse: text => (text === '' ? undefined : new Secret(text)),
  show: () => undefined,
}

export const filePath = (placeholder: string): Parser<string> =>
  textLike(placeholder, /^[^\0]+$/, 'a path (a relative one starts at the working directory)')

export const hostName: Parser<string> = textLike(
  'NAME',
  /^[\p{L}\p{N}_.-]{1,253}$/u,
  'a host name such as relay.example.com',
)

/** SHA-256 of public keys, as hex. */
export const keyPins: Parser<readonly string[]> = {
  placeholder: 'PIN,…',
  allowed: 'a list of SHA-256 of public keys, each in base64 or hex',
  parse: text => {
    const pins = text.split(',').map(pin => hexOfPin(pin.trim()))
    return pins.every(pin => pin !== undefined) ? pins : undefined
  },
}

/** Milliseconds since the epoch. */
export const instantMs: Parser<number> = {
  placeholder: 'TIME',
  allowed: 'a time in UTC such as 2027-01-31T00:00:00Z',
  parse: text => {
    const milliseconds = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z$/.test(text)
      ? Date.parse(text)
      : NaN
    // Date.parse takes the 30th of February for the 2nd of March.
    const exists =
      !Number.isNaN(milliseconds) &&
      new Date(milliseconds).toISOString().startsWith(text.slice(0, 10))
    return exists ? milliseconds : undefined
  },
}
