import type { Outcome, PreparedAttempt, TargetReply } from '../sinks/sink.ts'
import { destinationParty, type PartyName } from './lanes.ts'
import type { Answer, Complaint } from './permit.ts'
import type { Traffic } from './traffic.ts'

/** What a try that ended before its gate says: each target's reply speaks for its destination. */
export function failureAnswer(
  { deferred }: { readonly deferred: readonly TargetReply[] },
  traffic: Traffic | undefined,
): Answer {
  return { served: false, complaints: complaintsOf(deferred, traffic) }
}

/** Nobody complained. */
const welcomed: Answer = Object.freeze({ served: true, complaints: new Map() })

/** What the reply to the last step says, together with what was deferred before it. One about the other side speaks for no destination. */
export function answerOf(
  outcome: Outcome,
  { accepted, deferred }: PreparedAttempt,
  traffic: Traffic | undefined,
): Answer {
  if (outcome.kind === 'done' && deferred.length === 0) return welcomed
  const { kind, unavailable = false, ...said } = outcome
  const isTheirs = kind === 'deferred' && !unavailable
  const late = isTheirs ? accepted.map(target => ({ target, ...said })) : []
  const complaints = complaintsOf([...deferred, ...late], traffic)
  return { served: kind === 'done' && complaints.size === 0, complaints }
}

function complaintsOf(
  deferred: readonly TargetReply[],
  traffic: Traffic | undefined,
): Map<PartyName, Complaint> {
  const complaints = new Map<PartyName, Complaint>()
  if (traffic === undefined) return complaints
  for (const { target, reply, asksForLess } of deferred) {
    if (asksForLess === undefined) continue
    const party = destinationParty(traffic.destinationOf(target))
    const isCertain = asksForLess === 'certain' || complaints.get(party)?.isCertain === true
    complaints.set(party, { isCertain, reply })
  }
  return complaints
}
