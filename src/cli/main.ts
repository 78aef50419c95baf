import { readFile } from 'node:fs/promises'
import { errorCodeOf } from '../errors.ts'
import { parseCommandLine } from './command-line.ts'
import { commands } from './commands.ts'
import { resolveConfiguration } from './configuration.ts'
import { failureLine } from './failure-line.ts'
import { commandPage, overviewPage } from './help.ts'
import { processTerminal, type Terminal } from './terminal.ts'

/**
 * Runs one command and resolves with the exit code: 0 done, 1 failed, 2 wrong usage. A failure is one line on
 * standard error, with the code that `docs/errors.md` explains. Never rejects.
 */
export async function main(
  argv: readonly string[],
  terminal: Terminal = processTerminal,
): Promise<number> {
  try {
    const line = parseCommandLine(argv, commands)
    if (line.asks === 'version') {
      terminal.print(await packageVersion())
      return 0
    }
    if (line.command === undefined || line.asks === 'help') {
      terminal.print(
        line.command === undefined ? overviewPage(commands) : commandPage(line.command),
      )
      return 0
    }
    const configuration = await resolveConfiguration(line.settings, terminal.environment)
    const run = await line.command.load()
    return await run({ configuration, flags: line.flags, argument: line.argument, terminal })
  } catch (error) {
    terminal.tell(failureLine(error))
    return errorCodeOf(error) === 'CONFIGURATION_INVALID' ? 2 : 1
  }
}

/** From package.json, which lies two folders above this file in a checkout and in the package. */
async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { readonly version: string }
  return version
}
