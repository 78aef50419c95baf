import { StreamsError } from '../errors.ts'
import { readConfigurationFile } from './configuration-file.ts'
import type { Parser } from './parsers.ts'
import { checkTogether } from './settings-together.ts'
import { checkThreads } from './thread-share.ts'
import {
  environmentName,
  settingNames,
  settings,
  type Setting,
  type SettingName,
} from './settings.ts'

type Parsed<S> = S extends { readonly parser: Parser<infer T> }
  ? S extends { readonly default: string }
    ? T
    : T | undefined
  : never

/** Every setting by its name, read and checked. */
export type Configuration = { readonly [Name in SettingName]: Parsed<(typeof settings)[Name]> }

export interface ResolvedConfiguration {
  readonly values: Configuration
  /** The texts that were read, from which `configurationOf` makes the same configuration in another thread. */
  readonly given: GivenSettings
  /** Settings that a flag has given: `send` has flags of its own that share a name with a setting. */
  readonly fromFlags: ReadonlySet<SettingName>
}

/** Settings that were given, as plain data. */
export type GivenSettings = ReadonlyMap<SettingName, Given>

interface Given {
  readonly text: string
  /** Where it was found, as the user wrote it: `--retry`, `MAILONCE_RETRY`, `mailonce.yaml: retry`. */
  readonly place: string
}

/**
 * Reads every setting: a flag wins over the environment, that over the file, that over the default. Throws
 * CONFIGURATION_INVALID, naming the place and what is allowed there; a secret is never part of the text.
 */
export async function resolveConfiguration(
  flags: ReadonlyMap<SettingName, string>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ResolvedConfiguration> {
  const fromOutside = (name: SettingName): Given | undefined => {
    const setting: Setting = settings[name]
    const flag = flags.get(name)
    if (flag !== undefined) return { text: flag, place: `--${setting.flag}` }
    // An empty variable counts as unset: that is how a shell or a unit file takes one back.
    const variable = environment[environmentName(setting)]
    return variable === undefined || variable === ''
      ? undefined
      : { text: variable, place: environmentName(setting) }
  }

  const config = fromOutside('config')
  const path = config === undefined ? undefined : parseValue(settings.config, config)
  const file = path === undefined ? new Map<string, string>() : await readConfigurationFile(path)

  const given = new Map<SettingName, Given>()
  for (const name of settingNames) {
    const inFile = file.get(settings[name].path)
    const found =
      fromOutside(name) ??
      (inFile === undefined
        ? undefined
        : { text: inFile, place: `${path}: ${settings[name].path}` })
    if (found !== undefined) given.set(name, found)
  }
  const values = configurationOf(given)
  checkTogether(given)
  checkThreads(values)
  return { values, given, fromFlags: new Set(flags.keys()) }
}

/** Throws CONFIGURATION_INVALID, naming the place. */
export function configurationOf(given: GivenSettings): Configuration {
  const values = settingNames.map(name => {
    const setting: Setting = settings[name]
    const found = given.get(name)
    if (found !== undefined) return [name, parseValue(setting, found)]
    return [name, setting.default === undefined ? undefined : setting.parser.parse(setting.default)]
  })
  return Object.fromEntries(values) as Configuration
}

function parseValue<T>(setting: Setting<T>, given: Given): T {
  if (setting.parser.read !== undefined) return setting.parser.read(given.text, given.place)
  const value = setting.parser.parse(given.text)
  if (value !== undefined) return value
  const shown = setting.parser.show === undefined ? given.text : setting.parser.show(given.text)
  const what = shown === undefined ? 'the value' : JSON.stringify(shown)
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `${given.place}: ${what} is not ${setting.parser.allowed}`,
  )
}
