import { systemClock } from '../clock.ts'
import type { Invocation } from './command.ts'
import { InstanceClient } from './instance-client.ts'
import { parseRequestId } from './request-id.ts'
import { statusLines } from './request-status.ts'

/** `status`: from the store that owns the request, wherever it runs. */
export async function statusCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal, argument } = invocation
  const client = new InstanceClient(configuration.values.http, systemClock)
  const status = await client.status(parseRequestId(argument))
  const lines = flags.has('json') ? [JSON.stringify(status)] : statusLines(status)
  for (const line of lines) terminal.print(line)
  return 0
}
