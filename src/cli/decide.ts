import { userInfo } from 'node:os'
import { sleep, systemClock } from '../clock.ts'
import { type Decision, decisionText } from '../effects/delivery.ts'
import type { EffectCommand } from '../effects/outbox.ts'
import type { RequestName } from '../email/identity.ts'
import { StreamsError } from '../errors.ts'
import type { Invocation } from './command.ts'
import { InstanceClient } from './instance-client.ts'
import { requestIdText } from './request-id.ts'
import { type RequestStatus, statusLines } from './request-status.ts'

/** An instance carries out a command within a moment; a rebalance may lie between. */
const carriedOutMaxMs = 20_000
const pollMs = 200

/** What a command by which a person decides does in its own way. */
export interface Deciding<Kind extends Decision['kind']> {
  readonly name: RequestName
  readonly kind: Kind
  /** Throws DECISION_REFUSED where this state does not allow it. */
  readonly commandFor: (
    status: RequestStatus,
    decision: Decision & { readonly kind: Kind },
  ) => EffectCommand
}

/**
 * Looks how the request stands, hands the decision to its owner through Kafka, waits until that has carried it out, and prints
 * how it stands then. Throws REQUEST_UNKNOWN, DECISION_REFUSED, INSTANCE_UNREACHABLE.
 */
export async function decide<Kind extends Decision['kind']>(
  { configuration: { values }, flags, terminal }: Invocation,
  { name, kind, commandFor }: Deciding<Kind>,
): Promise<number> {
  const client = new InstanceClient(values.http, systemClock)
  const decision = {
    kind,
    by: flags.get('by')?.[0] ?? terminal.environment['USER'] ?? userInfo().username,
    why: flags.get('why')?.[0] ?? '',
    atMs: systemClock.nowMs(),
  }
  const command = commandFor(await client.status(name), decision)
  // Imported late: a mistake is told without waiting for a Kafka client.
  const { publishCommand } = await import('./publish-command.ts')
  await publishCommand(values, command)
  const status = await untilCarriedOut(client, name, decision)
  for (const line of statusLines(status)) terminal.print(line)
  return 0
}

async function untilCarriedOut(
  client: InstanceClient,
  name: RequestName,
  decision: Decision,
): Promise<RequestStatus> {
  const untilMs = systemClock.monotonicMs() + carriedOutMaxMs
  const ours = { text: decisionText(decision), at: new Date(decision.atMs).toISOString() }
  for (;;) {
    const status = await client.status(name)
    if (status.decisions.some(each => each.text === ours.text && each.at === ours.at)) return status
    if (systemClock.monotonicMs() > untilMs) {
      throw new StreamsError(
        'DECISION_REFUSED',
        `${requestIdText(name)} was not ${ours.text}: it is ${status.outcome ?? status.state}`,
      )
    }
    await sleep(systemClock, pollMs)
  }
}
