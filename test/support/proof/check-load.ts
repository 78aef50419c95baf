import { addressOf, type PlannedRequest } from './request-load.ts'
import type { Outcomes } from './outcomes.ts'

/** What became of a load: everything that breaks the promise, in words. */
export interface LoadReport {
  readonly broken: readonly string[]
  readonly sent: number
  readonly inDoubt: number
  readonly revised: number
}

/**
 * Holds every request against the promise, under the policy `hold`: mailed at most once; exactly one end, which only an
 * in-doubt one may be followed by a second; what is reported as sent was mailed, and what was mailed is reported as sent or in
 * doubt; one callback for each end that was asked for, and one for each duplicate that asked.
 */
export function checkLoad(
  planned: readonly PlannedRequest[],
  outcomes: Outcomes,
  mailed: ReadonlyMap<string, number>,
): LoadReport {
  const broken: string[] = []
  const names = planned.map(({ request }) => outcomes.endNamesOf(request.requestId))
  for (const [index, each] of planned.entries()) {
    const { requestId } = each.request
    const ends = names[index]!
    const times = mailed.get(addressOf(requestId)) ?? 0
    const story = `${requestId} ended as ${ends.join(', ') || 'nothing'}, mailed ${times} times`
    const allowed = ends.length === 1 || (ends.length === 2 && ends[0] === 'IN_DOUBT')
    const last = ends.at(-1)
    if (!allowed || (last !== 'SENT' && last !== 'IN_DOUBT')) broken.push(story)
    else if (times > 1 || (last === 'SENT' && times === 0)) broken.push(story)
    broken.push(...brokenCallbacks(each, outcomes, ends))
  }
  const count = (which: (ends: readonly string[]) => boolean): number => names.filter(which).length
  return {
    broken,
    sent: count(ends => ends.at(-1) === 'SENT'),
    inDoubt: count(ends => ends.at(-1) === 'IN_DOUBT'),
    revised: count(ends => ends.length === 2),
  }
}

function brokenCallbacks(
  { request, duplicates }: PlannedRequest,
  outcomes: Outcomes,
  ends: readonly string[],
): string[] {
  const callbacks = outcomes.callbacksOf(request.requestId)
  // Whoever came first is the original; with a record of it and of its duplicate on two partitions that is a matter of chance.
  const asked = [request, ...duplicates.map(each => each.request)].filter(
    each => each.callback,
  ).length
  const everyone = 1 + duplicates.length
  const ofEnds = callbacks.filter(each => each.outcome !== 'DUPLICATE').map(each => each.outcome)
  const ofDuplicates = callbacks.length - ofEnds.length
  const ended = ends.map(end =>
    end === 'IN_DOUBT' ? 'IN_DOUBT' : end === 'SENT' ? 'SENT' : 'FAILED',
  )
  const told = ofEnds.length > 0
  const askers = (told ? 1 : 0) + ofDuplicates
  const possible = asked === everyone ? told : asked > 0 || !told
  const right =
    askers === asked &&
    possible &&
    (!told || ofEnds.join() === ended.join()) &&
    new Set(callbacks.map(each => each.eventId)).size === callbacks.length
  if (right) return []
  const seen = callbacks.map(each => `${each.outcome} (${each.detail})`).join(', ')
  return [
    `${request.requestId} ended as ${ends.join(', ')}, ${asked} of ${everyone} asked, called back: ${seen || 'never'}`,
  ]
}
