import { environmentName, settingNames, settings, type Setting } from './settings.ts'

/** `docs/configuration.md`, made of the same table as flags, variables and help. */
export function configurationPage(): string {
  const rows = settingNames.map(name => cellsOf(settings[name]))
  return [
    '# Configuration',
    '',
    'A flag wins over the environment, that over the file, that over the default. An empty variable counts as unset. Keys of the file may be',
    'written like the flags (`dedup-window`) or in camel case (`dedupWindow`); a dot stands for a section. What is unknown or wrong',
    'is refused at the start, with its place and what is allowed there; only variables that nobody knows are ignored, because',
    'container platforms make some of their own.',
    '',
    'A password is never printed. It comes from a variable or from a file: better not from a flag, which everybody on the machine',
    'can read.',
    '',
    'Durations are written `500ms`, `30s`, `10m`, `12h`, `7d`; a retry schedule is a list of them, in which `3hx31` stands for 31 times `3h`,',
    'or `none`. Relative paths start at the working directory.',
    '',
    '```yaml',
    'kafka:',
    '  brokers: [kafka-1:9093, kafka-2:9093]',
    '  tls:',
    '    ca-file: /etc/mailonce/ca.pem',
    '  sasl:',
    '    mechanism: SCRAM-SHA-512',
    '    username: mailonce',
    '    password-file: /run/secrets/kafka',
    'schema-registry: https://registry.example.com',
    'smtp:',
    '  url: smtps://relay.example.com',
    '  username: mailonce',
    '  password-file: /run/secrets/relay',
    'from: noreply@example.com',
    'dedup-window: 7d',
    '```',
    '',
    ...table(['key in the file', 'flag', 'variable', 'default', ''], rows),
    '',
  ].join('\n')
}

function cellsOf(setting: Setting): readonly string[] {
  const { flag, parser, shorthand, path } = setting
  const value = parser.placeholder === undefined ? '' : ` ${parser.placeholder}`
  return [
    flag === 'config'
      ? ''
      : shorthand === undefined
        ? code(path)
        : `${code(shorthand)} or ${code(path)}`,
    flag === undefined ? '' : code(`--${flag}${value}`),
    code(environmentName(setting)),
    setting.default === undefined ? (setting.defaultText ?? '') : code(setting.default),
    `${setting.help} Allowed: ${parser.allowed}.`,
  ]
}

/** Columns are as wide as their widest cell, which is how the formatter of this repository wants them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map(cells => cells[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)]
}

/** A bar ends a cell even inside of code. */
function code(text: string): string {
  return `\`${text.replaceAll('|', String.raw`\|`)}\``
}
