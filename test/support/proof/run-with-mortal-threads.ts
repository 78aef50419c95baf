/* `mailonce run` whose second thread is ended at once by SIGUSR2, as nothing in the product can end it. */
import { parseCommandLine } from '../../../src/cli/command-line.ts'
import { commands } from '../../../src/cli/commands.ts'
import { resolveConfiguration } from '../../../src/cli/configuration.ts'
import { failureLine } from '../../../src/cli/failure-line.ts'
import { runCommand } from '../../../src/cli/run-command.ts'
import { startProcessorThread } from '../../../src/cli/start-processor-thread.ts'
import { processTerminal } from '../../../src/cli/terminal.ts'
import type { ThreadPort } from '../../../src/cli/thread-messages.ts'

const { settings, flags } = parseCommandLine(process.argv.slice(2), commands)
const configuration = await resolveConfiguration(settings, {})
const threads: ThreadPort[] = []
process.on('SIGUSR2', () => void threads[1]?.terminate())
try {
  const invocation = { configuration, flags, argument: '', terminal: processTerminal }
  process.exitCode = await runCommand(invocation, start => {
    const thread = startProcessorThread(start)
    threads.push(thread)
    return thread
  })
} catch (error) {
  processTerminal.tell(failureLine(error))
  process.exitCode = 1
}
