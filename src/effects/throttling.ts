import type { FailedAttempt, Outcome, PreparedAttempt, TargetReply } from '../sinks/sink.ts'
import { destinationParty } from './lanes.ts'
import type { Answer, AnyParty, Complaint } from './permit.ts'
import type { Traffic } from './traffic.ts'

/** What a try that ended before its gate says: the sink as a whole complains by closing, a destination by its target's reply. */
export function failureAnswer(failure: FailedAttempt, traffic: Traffic | undefined): Answer {
  const complaints = complaintsOf(failure.deferred, traffic)
  const { unavailable, reply } = failure
  if (unavailable && traffic?.throttlingOf(reply) === 'certain')
    complaints.set('sink', { isCertain: true, reply })
  return { served: false, complaints }
}

/** What the reply to the last step says, together with what was deferred before it. */
export function answerOf(
  outcome: Outcome,
  { accepted, deferred }: PreparedAttempt,
  traffic: Traffic | undefined,
): Answer {
  const { kind, reply, throttled = false } = outcome
  const late = kind === 'deferred' ? accepted.map(target => ({ target, reply, throttled })) : []
  const complaints = complaintsOf([...deferred, ...late], traffic)
  return { served: kind === 'done' && complaints.size === 0, complaints }
}

function complaintsOf(
  deferred: readonly TargetReply[],
  traffic: Traffic | undefined,
): Map<AnyParty, Complaint> {
  const complaints = new Map<AnyParty, Complaint>()
  for (const { target, reply, throttled } of traffic ? deferred : []) {
    const certainty = throttled === true ? 'certain' : traffic?.throttlingOf(reply)
    if (!certainty) continue
    const party = destinationParty(traffic!.destinationOf(target))
    const isCertain = certainty === 'certain' || complaints.get(party)?.isCertain === true
    complaints.set(party, { isCertain, reply })
  }
  return complaints
}
