import { oneLine } from '../sinks/smtp-reply.ts'

/** What a report says of one recipient (RFC 3464 section 2.3). */
export interface RecipientStatus {
  /** As the sender wrote it, where the report says so; else the final one. */
  readonly recipient: string
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'
  /** RFC 3463, such as 5.1.1. */
  readonly status: string
  /** What the host that refused it said, in one line; '' where it said nothing. */
  readonly diagnostic: string
}

/** A `message/delivery-status` (RFC 3464), as far as it can be understood. */
export interface DeliveryStatus {
  readonly envelopeId: string | null
  readonly recipients: readonly RecipientStatus[]
}

const recipientsMax = 1000
const actions: ReadonlySet<string> = new Set<RecipientStatus['action']>([
  'failed',
  'delayed',
  'delivered',
  'relayed',
  'expanded',
])
/** A status (RFC 3463), a comment may follow. */
const statusCode = /^([245]\.\d{1,3}\.\d{1,3})(?=$|[\s(])/

/** Groups of fields, divided by empty lines: the first is about the message, each other about one recipient. */
export function parseDeliveryStatus(text: string): DeliveryStatus {
  const [message, ...recipients] = text
    .split(/(?:\r?\n[ \t]*){2,}/)
    .map(fieldsOf)
    .filter(fields => fields.size > 0)
  return {
    envelopeId: message?.get('original-envelope-id') ?? null,
    recipients: recipients.slice(0, recipientsMax).flatMap(fields => statusOf(fields) ?? []),
  }
}

/** By name in lower case; folded lines are one, and of a field that stands twice the first counts. */
function fieldsOf(group: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of group.replaceAll(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (colon > 0 && !fields.has(name)) fields.set(name, line.slice(colon + 1).trim())
  }
  return fields
}

function statusOf(fields: ReadonlyMap<string, string>): RecipientStatus | undefined {
  const recipient = addressIn(fields.get('original-recipient') ?? fields.get('final-recipient'))
  const action = /^[a-z]+/i.exec(fields.get('action') ?? '')?.[0].toLowerCase() ?? ''
  const status = statusCode.exec(fields.get('status') ?? '')?.[1]
  if (recipient === undefined || status === undefined || !isAction(action)) return undefined
  return { recipient, action, status, diagnostic: diagnosticIn(fields.get('diagnostic-code')) }
}

function isAction(text: string): text is RecipientStatus['action'] {
  return actions.has(text)
}

/** Behind the type of the address: `rfc822; ann@example.com`, or `utf-8; …` (RFC 6533). Some write `<ann@example.com>`. */
function addressIn(field: string | undefined): string | undefined {
  const [, text = ''] = /^[\w-]+\s*;\s*(.*)$/.exec(field ?? '') ?? []
  const address = oneLine(text).replace(/^<(.*)>$/, '$1')
  return address.includes('@') ? address : undefined
}

function diagnosticIn(field: string | undefined): string {
  return oneLine((field ?? '').replace(/^[\w-]+\s*;\s*/, '')).slice(0, 200)
}
