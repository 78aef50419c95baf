import { readFile } from 'node:fs/promises'
import { describeError, StreamsError } from '../errors.ts'
import { nearest } from './nearest.ts'
import { settings, type Setting } from './settings.ts'
import { isMap, kebabCase } from './structure.ts'

const inFile: readonly Setting[] = Object.values<Setting>(settings).filter(
  setting => setting.path !== 'config',
)
const paths: ReadonlySet<string> = new Set(inFile.map(setting => setting.path))
const structured: ReadonlySet<string> = new Set(
  inFile.flatMap(setting => (setting.parser.structured ? [setting.path] : [])),
)
const shorthands: ReadonlyMap<string, string> = new Map(
  inFile.flatMap(setting =>
    setting.shorthand === undefined ? [] : [[setting.shorthand, setting.path]],
  ),
)

/**
 * Reads a YAML file into texts by path. Keys are the names of the flags; `dedupWindow` is read like `dedup-window`.
 * Throws CONFIGURATION_INVALID for a file that cannot be read, for what is no YAML and for an unknown key.
 */
export async function readConfigurationFile(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw invalid(`${path}: cannot be read: ${describeError(error)}`)
  })
  // Loaded only when there is a file: most starts have none.
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text)
  const [problem] = document.errors
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line
    // The parser's own text quotes the line, which may hold a password.
    throw invalid(`${path}: line ${line ?? '?'} is no valid YAML (${problem.code})`)
  }
  const values = new Map<string, string>()
  const root: unknown = document.toJS()
  if (root === null || root === undefined) return values
  if (!isMap(root)) throw invalid(`${path}: holds no keys; allowed are ${keysBelow('').join(', ')}`)
  flatten(path, '', root, values)
  return values
}

function flatten(
  file: string,
  parent: string,
  map: Readonly<Record<string, unknown>>,
  values: Map<string, string>,
): void {
  for (const [key, value] of Object.entries(map)) {
    const path = parent + kebabCase(key)
    if (structured.has(path)) {
      if (values.has(path)) throw invalid(`${file}: ${path} stands there twice`)
      values.set(path, JSON.stringify(value))
      continue
    }
    const target = isMap(value) ? undefined : paths.has(path) ? path : shorthands.get(path)
    if (target !== undefined) {
      if (values.has(target)) throw invalid(`${file}: ${target} stands there twice`)
      values.set(target, scalarText(file, path, value))
    } else if (isMap(value) && keysBelow(`${path}.`).length > 0) {
      flatten(file, `${path}.`, value, values)
    } else {
      throw unknownKey(file, parent, key, path)
    }
  }
}

function unknownKey(file: string, parent: string, key: string, path: string): StreamsError {
  const below = keysBelow(`${path}.`)
  if (below.length > 0)
    return invalid(`${file}: ${path} has to hold keys; allowed are ${below.join(', ')}`)
  if (paths.has(path)) return invalid(`${file}: ${path} has to be a plain value`)
  const allowed = keysBelow(parent)
  const guess = nearest(kebabCase(key), allowed)
  const hint = guess === undefined ? '' : ` (did you mean ${parent}${guess}?)`
  return invalid(
    `${file}: ${parent}${key} is no known key${hint}; allowed are ${allowed.join(', ')}`,
  )
}

function scalarText(file: string, path: string, value: unknown): string {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
  const texts = parts.flatMap(part =>
    typeof part === 'string' || typeof part === 'number' || typeof part === 'boolean'
      ? [String(part)]
      : [],
  )
  if (texts.length === 0 || texts.length < parts.length)
    throw invalid(`${file}: ${path} is empty or no plain value`)
  return texts.join(',')
}

/** Names that may stand below a path that ends in a dot, or at the top. */
function keysBelow(prefix: string): string[] {
  const names = [...paths]
    .filter(path => path.startsWith(prefix))
    .map(path => path.slice(prefix.length).split('.', 1)[0] ?? '')
  return [...new Set(names)]
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
