import type { Delivery } from '../effects/delivery.ts'
import type { TargetStatus } from '../effects/effect.ts'
import { decisionText } from '../effects/delivery.ts'
import { nameOf } from '../email/identity.ts'
import type { KnownEnd } from '../email/outcome-store.ts'
import { endWords } from '../email/send-effect.ts'
import { requestIdText } from './request-id.ts'

/** What an instance answers about a request, as JSON. Times are ISO 8601. */
export interface RequestStatus {
  readonly source: string
  readonly requestId: string
  /** `attempting`: handed over, or about to be: nobody can take it back. `ended`: see `outcome`. */
  readonly state: 'queued' | 'waiting' | 'attempting' | 'ended'
  /** `SENT`, `IN_DOUBT` or `FAILED` and the reason; null while it has not ended. */
  readonly outcome: string | null
  /** When it ended, or when it is tried next. */
  readonly at: string | null
  readonly messageId: string | null
  readonly relay: string | null
  /** Tries that reached the relay; null where the request ended before the first. */
  readonly attempts: number | null
  readonly reply: string
  readonly recipients: readonly {
    readonly address: string
    readonly status: TargetStatus
    readonly reply: string
  }[]
  /** What people decided, in order. */
  readonly decisions: readonly { readonly text: string; readonly at: string }[]
}

export function statusOf(delivery: Delivery): RequestStatus {
  const { plan, state, messageId, relay, attempts, reply, targets, decisions } = delivery
  const atMs = state.kind === 'ended' ? state.atMs : state.kind === 'waiting' ? state.dueMs : null
  return {
    ...nameOf(plan.identity),
    state: state.kind,
    outcome: state.kind === 'ended' ? endWords(state.end, delivery.targets) : null,
    at: atMs === null ? null : isoTime(atMs),
    messageId,
    relay,
    attempts,
    reply,
    recipients: targets.map(each => ({
      address: each.target,
      status: each.status,
      reply: each.reply,
    })),
    decisions: decisions.map(each => ({ text: decisionText(each), at: isoTime(each.atMs) })),
  }
}

/** Of a request that was never handed to the relay: all that is known is how it ended. */
export function statusOfEnd(identity: string, end: KnownEnd): RequestStatus {
  return {
    ...nameOf(identity),
    state: 'ended',
    outcome: end.words,
    at: isoTime(end.atMs),
    messageId: end.messageId,
    relay: null,
    attempts: null,
    reply: '',
    recipients: [],
    decisions: [],
  }
}

/** For a person. */
export function statusLines(status: RequestStatus): string[] {
  const { state, outcome, at, messageId, relay, attempts, reply, recipients, decisions } = status
  const when = at === null ? '' : state === 'waiting' ? `, next try ${at}` : `, ${at}`
  const facts = [
    ['message id', messageId],
    ['relay', relay],
    ['attempts', attempts === null ? null : String(attempts)],
    ['last reply', reply === '' ? null : reply],
  ] as const
  return [
    `${requestIdText(status)}: ${outcome ?? state}${when}`,
    ...facts.flatMap(([name, value]) => (value === null ? [] : [`  ${name}: ${value}`])),
    ...recipients.map(each => `  ${each.address}: ${each.status}${suffix(each.reply)}`),
    ...decisions.map(each => `  ${each.at}: ${each.text}`),
  ]
}

function suffix(reply: string): string {
  return reply === '' ? '' : ` (${reply})`
}

/** A time that no calendar has is shown as its number. */
function isoTime(timeMs: number): string {
  const date = new Date(timeMs)
  return Number.isNaN(date.getTime()) ? String(timeMs) : date.toISOString()
}
