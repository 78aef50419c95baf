import { systemClock } from '../clock.ts'
import { identityOf } from '../email/identity.ts'
import { StreamsError } from '../errors.ts'
import type { Invocation } from './command.ts'
import { decide } from './decide.ts'
import { InstanceClient } from './instance-client.ts'
import { parseRequestId, requestIdText } from './request-id.ts'
import { type RequestStatus, statusLines } from './request-status.ts'
import { textTable } from './text-table.ts'

/** `in-doubt list`: of all instances. Ends with 1 when some part could not be asked. */
export async function inDoubtListCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal } = invocation
  const client = new InstanceClient(configuration.values.http, systemClock)
  const { requests, gaps } = await client.inDoubt()
  const lines = flags.has('json') ? requests.map(each => JSON.stringify(each)) : tableOf(requests)
  for (const line of lines) terminal.print(line)
  if (gaps.length === 0) return 0
  throw new StreamsError('INSTANCE_UNREACHABLE', `the list is not complete: ${gaps.join('; ')}`)
}

function tableOf(requests: readonly RequestStatus[]): string[] {
  if (requests.length === 0) return ['nothing is in doubt']
  return textTable(
    ['request', 'since', 'relay', 'recipients in doubt'],
    requests.map(each => [
      requestIdText(each),
      each.at ?? '',
      each.relay ?? '',
      each.recipients.flatMap(to => (to.status === 'unknown' ? [to.address] : [])).join(', '),
    ]),
  )
}

/** `in-doubt show`: the status of one that is in doubt. */
export async function inDoubtShowCommand(invocation: Invocation): Promise<number> {
  const { configuration, flags, terminal, argument } = invocation
  const client = new InstanceClient(configuration.values.http, systemClock)
  const status = await client.status(parseRequestId(argument))
  requireInDoubt(status)
  const lines = flags.has('json') ? [JSON.stringify(status)] : statusLines(status)
  for (const line of lines) terminal.print(line)
  return 0
}

const resolutions = ['sent', 'resend', 'fail'] as const

/** `in-doubt resolve`: names the end that it was shown, so that it can never answer a later one. */
export async function inDoubtResolveCommand(invocation: Invocation): Promise<number> {
  const { flags, argument } = invocation
  const name = parseRequestId(argument)
  const [kind, ...others] = resolutions.filter(each => flags.has(each))
  if (kind === undefined || others.length > 0)
    throw new StreamsError('CONFIGURATION_INVALID', 'give one of --sent, --resend and --fail')
  return decide(invocation, {
    name,
    kind,
    commandFor: (status, decision) => {
      const endedAtMs = requireInDoubt(status)
      return { kind: 'resolve', identity: identityOf(name), endedAtMs, decision }
    },
  })
}

/** When it ended, milliseconds. Throws DECISION_REFUSED for what is not in doubt. */
function requireInDoubt(status: RequestStatus): number {
  const { state, outcome, at } = status
  if (outcome === 'IN_DOUBT' && at !== null) return Date.parse(at)
  throw new StreamsError(
    'DECISION_REFUSED',
    `${requestIdText(status)} is not in doubt: it is ${outcome ?? state}`,
  )
}
