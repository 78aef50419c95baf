import type { Command } from './command.ts'
import { environmentName, settings, type Setting } from './settings.ts'

const width = 100

/** The page of `mailonce --help`. */
export function overviewPage(commands: readonly Command[]): string {
  const column = Math.max(...commands.map(command => command.name.length)) + 4
  return [
    'mailonce mails what is requested in Kafka, exactly once.',
    '',
    'Usage: mailonce COMMAND [FLAGS]',
    '',
    ...commands.map(command => `  ${command.name.padEnd(column)}${command.summary}`),
    '',
    'mailonce COMMAND --help shows the flags of a command, mailonce --version the version.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage.',
  ].join('\n')
}

/** The page of `mailonce COMMAND --help`. */
export function commandPage(command: Command): string {
  const lines = [`mailonce ${command.name}: ${command.summary}`, '']
  for (const paragraph of command.description) lines.push(...wrap(paragraph, 0), '')
  const argument = command.argument === undefined ? '' : ` ${command.argument.placeholder}`
  lines.push(`Usage: mailonce ${command.name}${argument} [FLAGS]`, '')
  const own = Object.entries(command.flags)
  for (const [name, flag] of own) {
    lines.push(flagLine(name, flag.placeholder), ...wrap(flag.help, 6))
  }
  if (own.length > 0) lines.push('')
  for (const name of command.settings) lines.push(...settingLines(settings[name]))
  lines.push(flagLine('help', undefined), ...wrap('This page.', 6), '')
  lines.push(
    'A flag wins over the environment, that over the --config file, that over the default.',
  )
  return lines.join('\n')
}

function settingLines(setting: Setting): string[] {
  if (setting.flag === undefined) return []
  const text = setting.default === 'false' ? undefined : (setting.default ?? setting.defaultText)
  const origin = [
    environmentName(setting),
    ...(text === undefined ? [] : [`default: ${text}`]),
  ].join(', ')
  return [
    flagLine(setting.flag, setting.parser.placeholder),
    ...wrap(`${setting.help} [${origin}]`, 6),
  ]
}

function flagLine(name: string, placeholder: string | undefined): string {
  return `  --${name}${placeholder === undefined ? '' : ` ${placeholder}`}`
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(' '.repeat(indent) + line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, ' '.repeat(indent) + line]
}
