import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { StreamsError } from '../errors.ts'
import type { Command, FlagValues } from './command.ts'
import { nearest } from './nearest.ts'
import { settings, type Setting, type SettingName } from './settings.ts'

/** What the arguments ask for. `command` is missing for the help of everything and for the version. */
export interface CommandLine {
  readonly command: Command | undefined
  readonly asks: 'run' | 'help' | 'version'
  readonly settings: ReadonlyMap<SettingName, string>
  readonly flags: FlagValues
  /** '' where the command takes none. */
  readonly argument: string
}

const none = { settings: new Map(), flags: new Map(), argument: '' } as const

/** Reads the arguments after the program's name. Throws CONFIGURATION_INVALID for whatever it does not know. */
export function parseCommandLine(
  argv: readonly string[],
  commands: readonly Command[],
): CommandLine {
  const [first] = argv
  if (first === '--version') return { command: undefined, asks: 'version', ...none }
  if (first === '--help' || first === '-h' || first === 'help') {
    const words = argv.slice(1).filter(word => !word.startsWith('-'))
    if (words.length === 0) return { command: undefined, asks: 'help', ...none }
    return { command: findCommand(words, commands, true).command, asks: 'help', ...none }
  }
  const { command, words } = findCommand(
    argv,
    commands,
    argv.includes('--help') || argv.includes('-h'),
  )
  if (command === undefined) return { command, asks: 'help', ...none }
  return parseFlags(command, argv.slice(words))
}

function findCommand(
  argv: readonly string[],
  commands: readonly Command[],
  forHelp: boolean,
): { readonly command: Command | undefined; readonly words: number } {
  const [first = '', second = ''] = argv
  for (const command of commands) {
    const words = command.name.split(' ')
    if (words[0] === first && (words.length === 1 || words[1] === second))
      return { command, words: words.length }
  }
  const group = commands.filter(command => command.name.startsWith(`${first} `))
  if (first !== '' && group.length > 0) {
    // `topics --help` shows the whole page: a group has none of its own.
    if (forHelp) return { command: undefined, words: 1 }
    const names = group.map(command => `mailonce ${command.name}`).join(' or ')
    const wrong =
      second === '' || second.startsWith('-')
        ? 'is not complete'
        : `has no ${JSON.stringify(second)}`
    throw usage(`mailonce ${first} ${wrong}: use ${names}`)
  }
  const names = commands.map(command => command.name)
  if (first === '' || first.startsWith('-')) throw usage(`name a command: ${names.join(', ')}`)
  const guess = nearest(first, names)
  const hint = guess === undefined ? '' : ` (did you mean ${guess}?)`
  throw usage(`${JSON.stringify(first)} is no command${hint}: use ${names.join(', ')}`)
}

function parseFlags(command: Command, argv: readonly string[]): CommandLine {
  const settingOfFlag = new Map<string, SettingName>()
  const options: ParseArgsOptionsConfig = { help: { type: 'boolean', short: 'h' } }
  for (const name of command.settings) {
    const setting: Setting = settings[name]
    if (setting.flag === undefined) continue
    settingOfFlag.set(setting.flag, name)
    options[setting.flag] = {
      type: setting.parser.placeholder === undefined ? 'boolean' : 'string',
    }
  }
  for (const [name, flag] of Object.entries(command.flags)) {
    options[name] = { type: flag.placeholder === undefined ? 'boolean' : 'string' }
  }
  // Not strict: node's own messages do not say what is allowed.
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const given = new Map<SettingName, string>()
  const flags = new Map<string, string[]>()
  let argument: string | undefined
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional' && command.argument !== undefined && argument === undefined) {
      argument = token.value
      continue
    }
    if (token.kind === 'positional')
      throw usage(`${command.name} takes no ${JSON.stringify(token.value)}${see(command)}`)
    const option = options[token.name]
    if (option === undefined) throw unknownFlag(command, token.rawName, Object.keys(options))
    if (token.name === 'help') return { command, asks: 'help', ...none }
    const isSwitch = option.type === 'boolean'
    if (
      !isSwitch &&
      (token.value === undefined || (!token.inlineValue && token.value.startsWith('--')))
    ) {
      throw usage(`${token.rawName} needs a value${see(command)}`)
    }
    const value = token.value ?? 'true'
    const setting = settingOfFlag.get(token.name)
    const earlier = flags.get(token.name)
    const again = setting === undefined ? earlier !== undefined : given.has(setting)
    if (again && command.flags[token.name]?.multiple !== true)
      throw usage(`${token.rawName} is given twice`)
    if (setting !== undefined) given.set(setting, value)
    else if (isSwitch && token.value !== undefined)
      throw usage(`${token.rawName} takes no value${see(command)}`)
    else if (earlier === undefined) flags.set(token.name, [value])
    else earlier.push(value)
  }
  if (command.argument !== undefined && argument === undefined)
    throw usage(`${command.name} needs ${command.argument.placeholder}${see(command)}`)
  return { command, asks: 'run', settings: given, flags, argument: argument ?? '' }
}

function unknownFlag(command: Command, rawName: string, known: readonly string[]): StreamsError {
  const guess = nearest(rawName.replace(/^-+/, ''), known)
  const hint = guess === undefined ? '' : ` (did you mean --${guess}?)`
  return usage(`${command.name} has no flag ${rawName}${hint}${see(command)}`)
}

function see(command: Command): string {
  return `: see mailonce ${command.name} --help`
}

function usage(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
