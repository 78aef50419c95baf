import { globalTable, type FindTable, type GlobalTable, type TableTopic } from '../global-table.ts'
import { asciiDomain, splitAddress } from '../sinks/mail-address.ts'
import type { TargetReply } from '../sinks/sink.ts'
import type { EmailSuppressed, SuppressionReason } from './records.ts'

/** Addresses that get no mail, with the reason. */
export type SuppressionList = GlobalTable<SuppressionReason>

/** Of an entry only the reason stays in memory: an instance holds millions of them. */
export function suppressionList(topic: TableTopic<EmailSuppressed>): SuppressionList {
  return globalTable('suppressed', topic, { keep: ({ reason }: EmailSuppressed) => reason })
}

/**
 * The key of an address in the list: its domain in ASCII and lower case, its local part as it is, because only the
 * receiving host knows which of those are the same (RFC 5321 section 2.4).
 */
export function suppressionKey(address: string): string {
  const { local, domain } = splitAddress(address)
  return `${local}@${asciiDomain(domain).toLowerCase()}`
}

/** Those of the recipients that are in the list, with what a relay would say to them (RFC 3463: 5.7.1, refused by policy). */
export function suppressed(
  list: SuppressionList,
  recipients: readonly string[],
  table: FindTable,
): readonly TargetReply[] {
  const entries = table(list)
  if (entries.size === 0) return []
  return recipients.flatMap(target => {
    const reason = entries.get(suppressionKey(target))
    return reason === undefined ? [] : { target, reply: `550 5.7.1 suppressed: ${reason}` }
  })
}
