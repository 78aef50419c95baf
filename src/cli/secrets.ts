import { readFile } from 'node:fs/promises'
import { describeError, StreamsError } from '../errors.ts'
import { Secret } from './secret.ts'

/** A secret that is given itself or as the path of a file, whose last line end is not part of it. Throws CONFIGURATION_INVALID. */
export async function secretOf(
  key: string,
  value: Secret | undefined,
  file: string | undefined,
): Promise<Secret | undefined> {
  if (file === undefined) return value
  if (value !== undefined) throw invalid(`${key} and ${key}-file are both given: keep one`)
  const text = (await readConfiguredFile(`${key}-file`, file)).replace(/\r?\n$/, '')
  if (text === '') throw invalid(`${key}-file: ${file} is empty`)
  return new Secret(text)
}

/** The text of a file that a key names. Throws CONFIGURATION_INVALID, naming the key. */
export async function readConfiguredFile(key: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw invalid(`${key}: cannot be read: ${describeError(error)}`)
  })
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
