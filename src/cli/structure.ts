import { StreamsError } from '../errors.ts'
import { nearest } from './nearest.ts'
import type { Parser } from './parsers.ts'

/** What may stand at one place of a structured key: a plain value, a list, or a map with known or free names. */
export interface Shape<T> {
  /** Completes the sentence "… is not", and describes the place in the documentation. */
  readonly allowed: string
  /** Throws CONFIGURATION_INVALID, naming `place` and what is allowed there; a secret is never part of the text. */
  read(value: unknown, place: string): T
}

type ShapeValue<S> = S extends Shape<infer T> ? T : never

/** One plain value, read like a flag. A list of plain values is read like one with commas. */
export function plain<T>(parser: Parser<T>): Shape<T> {
  const { allowed } = parser
  return {
    allowed,
    read(value, place) {
      const text = plainText(value)
      if (text === undefined) throw invalid(`${place}: has to be ${allowed}`)
      const read = parser.parse(text)
      if (read !== undefined) return read
      const shown = parser.show === undefined ? text : parser.show(text)
      const what = shown === undefined ? 'the value' : JSON.stringify(shown)
      throw invalid(`${place}: ${what} is not ${allowed}`)
    },
  }
}

export function listOf<T>(item: Shape<T>, bounds: { readonly max: number }): Shape<readonly T[]> {
  const allowed = `a list of at most ${bounds.max}, each ${item.allowed}`
  return {
    allowed,
    read(value, place) {
      if (!Array.isArray(value) || value.length > bounds.max)
        throw invalid(`${place}: has to be ${allowed}`)
      return value.map((each: unknown, index) => item.read(each, `${place}[${index}]`))
    },
  }
}

/** A map whose names are the user's own (of relays, of domains); `names` says which are allowed. */
export function mapOf<T>(names: Parser<string>, item: Shape<T>): Shape<ReadonlyMap<string, T>> {
  const allowed = `a map from ${names.allowed} to ${item.allowed}`
  return {
    allowed,
    read(value, place) {
      if (!isMap(value)) throw invalid(`${place}: has to be ${allowed}`)
      const entries = Object.entries(value).map(([name, each]): readonly [string, T] => {
        const read = names.parse(name)
        if (read === undefined)
          throw invalid(`${place}: ${JSON.stringify(name)} is not ${names.allowed}`)
        return [read, item.read(each, `${place}.${name}`)]
      })
      return new Map(entries)
    },
  }
}

/** A shape that may be left out; `fallback` is what stands for it then. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> & { readonly optional: true }
export function optional<T, Fallback>(
  shape: Shape<T>,
  fallback: Fallback,
): Shape<T | Fallback> & { readonly optional: true }
export function optional<T>(
  shape: Shape<T>,
  fallback?: T,
): Shape<T | undefined> & { readonly optional: true } {
  return {
    optional: true,
    allowed: shape.allowed,
    read: (value, place) =>
      value === undefined || value === null ? fallback : shape.read(value, place),
  }
}

/** A map with exactly these keys, written like flags (`key-file`) or in camel case; those that are not `optional` must be there. */
export function object<Shapes extends Readonly<Record<string, Shape<unknown>>>>(
  shapes: Shapes,
): Shape<{ readonly [Key in keyof Shapes]: ShapeValue<Shapes[Key]> }> {
  const known = Object.keys(shapes)
  const allowed = `a map with ${known.map(kebabCase).join(', ')}`
  return {
    allowed,
    read(value, place) {
      if (!isMap(value)) throw invalid(`${place}: has to be ${allowed}`)
      const given = new Map<string, unknown>()
      for (const [key, each] of Object.entries(value)) {
        const name = known.find(one => kebabCase(one) === kebabCase(key))
        if (name === undefined) throw unknownKey(place, key, known.map(kebabCase))
        if (given.has(name)) throw invalid(`${place}.${kebabCase(name)} stands there twice`)
        given.set(name, each)
      }
      const read = Object.entries(shapes).map(([name, shape]) => {
        const at = `${place}.${kebabCase(name)}`
        if (!given.has(name) && !('optional' in shape))
          throw invalid(`${at} is missing; it has to be ${shape.allowed}`)
        return [name, shape.read(given.get(name), at)]
      })
      return Object.fromEntries(read) as { [Key in keyof Shapes]: ShapeValue<Shapes[Key]> }
    },
  }
}

/** Makes a setting of a shape: a section of the configuration file, or the same as JSON in its variable. */
export function structured<T>(shape: Shape<T>): Parser<T> {
  const read = (text: string, place: string): T => {
    const value = parsedJson(text)
    if (value !== undefined) return shape.read(value, place)
    throw invalid(`${place}: is no valid JSON of ${shape.allowed}`)
  }
  return {
    structured: true,
    placeholder: 'JSON',
    allowed: shape.allowed,
    parse: text => read(text, 'default'),
    read,
    show: () => undefined,
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unknownKey(place: string, key: string, allowed: readonly string[]): StreamsError {
  const guess = nearest(kebabCase(key), allowed)
  const hint = guess === undefined ? '' : ` (did you mean ${guess}?)`
  return invalid(`${place}.${key} is no known key${hint}; allowed are ${allowed.join(', ')}`)
}

function plainText(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const texts = value.map(plainText)
    return texts.length > 0 && texts.every(text => text !== undefined) ? texts.join(',') : undefined
  }
  const isPlain =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return isPlain ? String(value) : undefined
}

/** Keys are written like flags; `dedupWindow` is read like `dedup-window`. */
export function kebabCase(key: string): string {
  return key.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
