import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { main } from '../../src/cli/main.ts'
import { environmentName, settings, type Setting } from '../../src/cli/settings.ts'
import { MemoryTerminal } from './memory-terminal.ts'

async function call(...argv: string[]): Promise<{ code: number; printed: string; told: string }> {
  const terminal = new MemoryTerminal()
  const code = await main(argv, terminal)
  return { code, printed: terminal.printed.join('\n'), told: terminal.told.join('\n') }
}

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { version: string }

  expect(await call('--version')).toEqual({ code: 0, printed: version, told: '' })
})

test.each([['--help'], ['-h'], ['help'], ['topics', '--help']])(
  '%s %s lists every command',
  async (...argv) => {
    const { code, printed } = await call(...argv.filter(word => word !== undefined))

    expect(code).toBe(0)
    for (const command of commands) expect(printed).toContain(`  ${command.name} `)
  },
)

test.each(commands)(
  '$name --help explains every flag it takes',
  async ({ name, flags, settings: names }) => {
    const { code, printed } = await call(...name.split(' '), '--help')

    expect(code).toBe(0)
    for (const flag of Object.keys(flags)) expect(printed).toContain(`--${flag}`)
    for (const each of names) {
      const setting: Setting = settings[each]
      if (setting.flag === undefined) continue
      expect(printed).toContain(`--${setting.flag}`)
      expect(printed).toContain(environmentName(setting))
    }
    for (const line of printed.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  },
)

test('help asked for among other flags is help', async () => {
  const { code, printed } = await call('run', '--kafka', 'a:1', '--help')

  expect(code).toBe(0)
  expect(printed).toContain('Usage: mailonce run [FLAGS]')
})

test('the page of a command shows what it is about', async () => {
  expect((await call('cancel', '--help')).printed).toContain(
    'Usage: mailonce cancel SOURCE/REQUESTID [FLAGS]',
  )
})

test('help COMMAND is the page of the command', async () => {
  expect((await call('help', 'schemas', 'check')).printed).toContain(
    'Usage: mailonce schemas check [FLAGS]',
  )
})

test.each([
  { argv: [], says: 'name a command: run, dev, send, topics create' },
  { argv: ['rnu'], says: '"rnu" is no command (did you mean run?): use run, dev,' },
  { argv: ['--kafka', 'a:1'], says: 'name a command' },
  { argv: ['topics'], says: 'mailonce topics is not complete: use mailonce topics create' },
  {
    argv: ['topics', 'delete'],
    says: 'mailonce topics has no "delete": use mailonce topics create',
  },
  {
    argv: ['schemas', '--kafka', 'a:1'],
    says: 'is not complete: use mailonce schemas register or mailonce schemas check',
  },
  {
    argv: ['run', '--kafak', 'a:1'],
    says: 'run has no flag --kafak (did you mean --kafka?): see mailonce run --help',
  },
  { argv: ['run', '-x'], says: 'run has no flag -x' },
  { argv: ['run', '--kafka'], says: '--kafka needs a value' },
  { argv: ['run', '--kafka', '--smtp', 'x'], says: '--kafka needs a value' },
  { argv: ['run', '--kafka', 'a:1', '--kafka', 'b:1'], says: '--kafka is given twice' },
  { argv: ['run', 'now'], says: 'run takes no "now"' },
  {
    argv: ['run', '--static-membership=perhaps'],
    says: '--static-membership: "perhaps" is not true or false',
  },
  { argv: ['run', '--dedup-window', 'soon'], says: '--dedup-window: "soon" is not a duration' },
  { argv: ['dev', '--demo=yes'], says: '--demo takes no value' },
  { argv: ['dev', '--kafka', 'a:1'], says: 'dev has no flag --kafka' },
  { argv: ['status'], says: 'status needs SOURCE/REQUESTID: see mailonce status --help' },
  { argv: ['status', 'a/1', 'b/2'], says: 'status takes no "b/2"' },
  { argv: ['status', 'a'], says: '"a" is not SOURCE/REQUESTID such as shop/order-17' },
  { argv: ['cancel', '/1'], says: '"/1" is not SOURCE/REQUESTID' },
  { argv: ['in-doubt'], says: 'mailonce in-doubt is not complete: use mailonce in-doubt list or' },
  { argv: ['in-doubt', 'list', 'a/1'], says: 'in-doubt list takes no "a/1"' },
  { argv: ['in-doubt', 'resolve', 'a/1'], says: 'give one of --sent, --resend and --fail' },
  {
    argv: ['in-doubt', 'resolve', 'a/1', '--sent', '--fail'],
    says: 'give one of --sent, --resend and --fail',
  },
  { argv: ['dead-letters', 'replay', '7'], says: '"7" is not PARTITION/OFFSET such as 3/17' },
  {
    argv: ['run', '--advertised-http', 'host:0'],
    says: '--advertised-http: "host:0" is not HOST:PORT such as mailonce-1:8080',
  },
])('$argv is wrong usage, in one line', async ({ argv, says }) => {
  const { code, printed, told } = await call(...argv)

  expect(code).toBe(2)
  expect(printed).toBe('')
  expect(told).toMatch(/^mailonce: CONFIGURATION_INVALID: [^\n]*$/)
  expect(told).toContain(says)
})
