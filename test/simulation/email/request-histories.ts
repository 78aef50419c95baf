import { contentHash } from '../../../src/email/content-hash.ts'
import { identityOf } from '../../../src/email/identity.ts'
import { headerNames } from '../../../src/email/record-headers.ts'
import { traceHeaders, traceSeed } from '../../../src/email/trace-headers.ts'
import type { EmailFailed, EmailRequested, EmailSent } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import type { ConsumedRecord } from '../../../src/runtime/ports.ts'
import type { Serde } from '../../../src/serde.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import type { Published } from './business-systems.ts'
import type { EmailWorld } from './email-world.ts'

export type End = EmailSent | EmailFailed

/** A record that decodes, and what came of it. */
export interface Asked extends Published {
  readonly request: EmailRequested
  /** Times it was accepted. */
  readonly accepted: number
  readonly ends: readonly End[]
  readonly old: boolean
}

/** All that became known of one identity. */
export interface RequestHistory {
  readonly identity: string
  /** Every record of it, oldest first. */
  readonly asked: readonly Asked[]
  /** The record that took the identity; undefined while none is known to have. */
  readonly original: Asked | undefined
  /** Of the original. */
  readonly ends: readonly End[]
  readonly policy: 'hold' | 'resend'
}

/** Older than the window when it was written; such requests are written on purpose. */
export function isOld(asked: Asked): boolean {
  return asked.old
}

export function reasonOf(end: End): string {
  return 'sentAt' in end ? 'SENT' : end.reason
}

/** Whether an end is about its one record, and says nothing of the identity. */
export function isOfRecord(end: End): boolean {
  return reasonOf(end) === 'CONFLICT' || reasonOf(end) === 'TOO_OLD'
}

/** After a revision, what it says now. */
export function lastEnd(ends: readonly End[]): End | undefined {
  return ends.find(each => reasonOf(each) !== 'IN_DOUBT') ?? ends[0]
}

export function sameContent(one: EmailRequested, other: EmailRequested): boolean {
  return contentHash(one) === contentHash(other)
}

/** What was asked for and what became of it, by identity. The trace, which everything carries, tells which record was the cause. */
export function requestHistories(world: EmailWorld): RequestHistory[] {
  const accepted = Map.groupBy(world.committed(topicNames.dedup), traceOf)
  const ends = Map.groupBy(
    [
      ...endsIn(world.committed(topicNames.sent), plainSerdes.sent),
      ...endsIn(world.committed(topicNames.failed), plainSerdes.failed),
    ],
    each => each.trace,
  )
  const asked = world.business.published.flatMap((each): Asked[] => {
    const { request } = each
    if (request === undefined) return []
    const trace = traceFor(identityOf(request), each)
    const own = (ends.get(trace) ?? []).map(({ end }) => end)
    const old = request.requestedAt < each.timestampMs - world.windowMs
    return [{ ...each, request, accepted: accepted.get(trace)?.length ?? 0, ends: own, old }]
  })
  const byIdentity = Map.groupBy(asked, each => identityOf(each.request))
  return [...byIdentity].map(([identity, records]): RequestHistory => {
    const original = records.find(
      each => each.accepted > 0 || each.ends.some(end => !isOfRecord(end)),
    )
    const inDoubt = original?.request.inDoubt ?? 'DEFAULT'
    return {
      identity,
      asked: records,
      original,
      ends: original?.ends ?? [],
      policy: inDoubt === 'DEFAULT' ? world.inDoubt : inDoubt === 'HOLD' ? 'hold' : 'resend',
    }
  })
}

function endsIn(
  records: readonly ConsumedRecord[],
  serde: Pick<Serde<End>, 'deserialize'>,
): { readonly trace: string; readonly end: End }[] {
  return records.map(record => ({ trace: traceOf(record), end: serde.deserialize(record.value!) }))
}

function traceOf({ headers }: Pick<ConsumedRecord, 'headers'>): string {
  return headers.find(each => each.key === headerNames.traceparent)?.value?.toString() ?? ''
}

function traceFor(identity: string, place: Published): string {
  return traceOf({ headers: traceHeaders([], () => traceSeed(identity, place)) })
}
