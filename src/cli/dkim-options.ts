import { describeError, StreamsError } from '../errors.ts'
import { dkimKey, type DkimKeyOptions, type DkimOptions } from '../sinks/dkim-key.ts'
import { DkimKeys } from '../sinks/dkim-keys.ts'
import { filePath, hostName, instantMs, textLike } from './parsers.ts'
import { readConfiguredFile } from './secrets.ts'
import { listOf, mapOf, object, optional, plain } from './structure.ts'

const selector = textLike(
  'NAME',
  /^[a-zA-Z0-9_]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/,
  'a selector such as mail2026',
)

/** The section `dkim`: domain → keys. */
export const dkimShape = mapOf(
  hostName,
  listOf(
    object({
      selector: plain(selector),
      keyFile: plain(filePath('FILE')),
      from: optional(plain(instantMs)),
    }),
    { max: 20 },
  ),
)

type DkimSettings = ReturnType<(typeof dkimShape)['read']>

type KeySettings = DkimSettings extends ReadonlyMap<string, readonly (infer Key)[]> ? Key : never

/** Reads the key files and checks every key. Throws CONFIGURATION_INVALID, naming the place of the key; nothing of it is part of the text. */
export async function dkimOptions(settings: DkimSettings): Promise<DkimOptions> {
  const domains = await Promise.all(
    [...settings].map(async ([domain, keys]): Promise<[string, readonly DkimKeyOptions[]]> => {
      const read = keys.map((key, index) => readKey(domain, key, `dkim.${domain}[${index}]`))
      return [domain, await Promise.all(read)]
    }),
  )
  const options = Object.fromEntries(domains)
  at('dkim', () => new DkimKeys(options))
  return options
}

async function readKey(
  domain: string,
  { selector: name, keyFile, from }: KeySettings,
  place: string,
): Promise<DkimKeyOptions> {
  const privateKey = await readConfiguredFile(`${place}.key-file`, keyFile)
  const options = { selector: name, privateKey, ...(from === undefined ? {} : { fromMs: from }) }
  at(`${place}.key-file: ${keyFile}`, () => dkimKey(domain, options))
  return options
}

function at(place: string, check: () => unknown): void {
  try {
    check()
  } catch (error) {
    throw new StreamsError('CONFIGURATION_INVALID', `${place}: ${describeError(error)}`)
  }
}
