import { contentHash } from '../../../src/email/content-hash.ts'
import { identityOf } from '../../../src/email/identity.ts'
import { placeInHeaders } from '../../../src/email/record-headers.ts'
import type { EmailFailed, EmailRequested, EmailSent } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import { type Published, windowMs } from './business-systems.ts'
import type { EmailWorld } from './email-world.ts'

export type Asked = Published & { readonly request: EmailRequested }
export type End = EmailSent | EmailFailed

/** All that became known of one identity. */
export interface RequestHistory {
  readonly identity: string
  /** Every record of it, oldest first. */
  readonly asked: readonly Asked[]
  /** How often it was accepted: a record in `email.dedup`. */
  readonly accepted: number
  /** The record that took the identity; undefined while none is known to have. */
  readonly original: Asked | undefined
  /** Of the request itself. */
  readonly ends: readonly End[]
  /** Of single records. */
  readonly conflicts: readonly EmailFailed[]
  readonly tooOld: readonly EmailFailed[]
  readonly policy: 'hold' | 'resend'
}

export function isOld({ request, timestampMs }: Asked): boolean {
  return request.requestedAt < timestampMs - windowMs
}

export function reasonOf(end: End): string {
  return 'sentAt' in end ? 'SENT' : end.reason
}

export function hasCallback(asked: Asked): boolean {
  return asked.request.callback !== null
}

export function sameContent(one: EmailRequested, other: EmailRequested): boolean {
  return contentHash(one) === contentHash(other)
}

/** What was asked for and what became of it, by identity. */
export function requestHistories(world: EmailWorld): RequestHistory[] {
  const asked = world.business.published.filter((each): each is Asked => each.request !== undefined)
  const accepted = Map.groupBy(
    world.committed(topicNames.dedup).map(record => ({
      identity: identityOf(plainSerdes.dedup.deserialize(record.value!)),
      place: placeInHeaders(record.headers),
    })),
    each => each.identity,
  )
  const ends: readonly End[] = [...world.sent(), ...world.failed()]
  const endsOf = Map.groupBy(ends, identityOf)
  const byIdentity = Map.groupBy(asked, each => identityOf(each.request))
  return [...byIdentity].map(([identity, records]): RequestHistory => {
    const all = endsOf.get(identity) ?? []
    const own = all.filter(each => reasonOf(each) !== 'CONFLICT' && reasonOf(each) !== 'TOO_OLD')
    const places = accepted.get(identity) ?? []
    const first = places[0]?.place
    const original =
      records.find(each => each.partition === first?.partition && each.offset === first.offset) ??
      records.find(each => own[0] !== undefined && isRecordOf(each, own[0]))
    const { inDoubt = 'DEFAULT' } = original?.request ?? {}
    return {
      identity,
      asked: records,
      accepted: places.length,
      original,
      ends: own,
      conflicts: failuresOf(all, 'CONFLICT'),
      tooOld: failuresOf(all, 'TOO_OLD'),
      policy: inDoubt === 'DEFAULT' ? world.inDoubt : inDoubt === 'HOLD' ? 'hold' : 'resend',
    }
  })
}

function failuresOf(ends: readonly End[], reason: EmailFailed['reason']): EmailFailed[] {
  return ends.filter((each): each is EmailFailed => 'reason' in each && each.reason === reason)
}

/** Whether a request that was never accepted is the one that ended so. */
function isRecordOf({ request }: Asked, end: End): boolean {
  return (
    request.requestedAt === end.requestedAt &&
    request.callback?.context['number'] === end.callback?.context['number']
  )
}
