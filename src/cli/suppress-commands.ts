import { userInfo } from 'node:os'
import { systemClock } from '../clock.ts'
import { isMailbox } from '../email/mailbox.ts'
import type { EmailSuppressed } from '../email/records.ts'
import { suppressionKey } from '../email/suppression.ts'
import { StreamsError } from '../errors.ts'
import type { Invocation } from './command.ts'
import { textTable } from './text-table.ts'

const reasons = {
  manual: 'MANUAL',
  complaint: 'COMPLAINT',
  unsubscribed: 'UNSUBSCRIBED',
  'hard-bounce': 'HARD_BOUNCE',
} as const

/** `suppress add`: a second time replaces the entry. */
export async function suppressAddCommand(invocation: Invocation): Promise<number> {
  const { flags, terminal } = invocation
  const address = addressOf(invocation.argument)
  const given = flags.get('reason')?.[0] ?? 'manual'
  const reason = Object.entries(reasons).find(([name]) => name === given)?.[1]
  if (reason === undefined)
    throw usage(
      `--reason: ${JSON.stringify(given)} is not one of ${Object.keys(reasons).join(', ')}`,
    )
  const entry: EmailSuppressed = {
    address,
    reason,
    detail: flags.get('why')?.[0] ?? '',
    source: flags.get('by')?.[0] ?? terminal.environment['USER'] ?? userInfo().username,
    at: systemClock.nowMs(),
  }
  await (await suppressions(invocation)).put(entry)
  terminal.print(`${suppressionKey(address)}: suppressed, ${reason}`)
  return 0
}

/** `suppress remove`. */
export async function suppressRemoveCommand(invocation: Invocation): Promise<number> {
  const address = addressOf(invocation.argument)
  await (await suppressions(invocation)).remove(address)
  invocation.terminal.print(`${suppressionKey(address)}: gets mail`)
  return 0
}

/** `suppress list`: the latest first. */
export async function suppressListCommand(invocation: Invocation): Promise<number> {
  const { flags, terminal } = invocation
  const entries = await (await suppressions(invocation)).list()
  const rows = entries
    .toSorted((a, b) => b.at - a.at)
    .map(({ key, address, reason, detail, source, at }) => ({
      key,
      address,
      reason,
      detail,
      source,
      at: new Date(at).toISOString(),
    }))
  const lines = flags.has('json')
    ? rows.map(row => JSON.stringify(row))
    : rows.length === 0
      ? ['nobody is suppressed']
      : textTable(
          ['address', 'reason', 'since', 'by', 'why'],
          rows.map(row => [row.key, row.reason, row.at, row.source, row.detail]),
        )
  for (const line of lines) terminal.print(line)
  return 0
}

/** Imported late: a mistake is told without waiting for a Kafka client. */
async function suppressions({ configuration }: Invocation) {
  const { SuppressionTopic } = await import('./suppression-topic.ts')
  return new SuppressionTopic(configuration.values)
}

function addressOf(text: string): string {
  if (isMailbox(text)) return text
  throw usage(`${JSON.stringify(text)} is not a bare address such as ann@example.com`)
}

function usage(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
