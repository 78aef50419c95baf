import { identityOf, nameOf } from '../../../src/email/identity.ts'
import type { EmailCallback } from '../../../src/email/records.ts'
import type { EmailWorld } from './email-world.ts'
import {
  type Asked,
  type End,
  reasonOf,
  type RequestHistory,
  sameContent,
} from './request-histories.ts'

/** Whoever asked is called once for each end, and no two calls are the same. */
export function brokenCallbackPromises(
  histories: readonly RequestHistory[],
  world: EmailWorld,
): string[] {
  const callbacks = world.callbacks()
  const broken: string[] = []
  if (new Set(callbacks.map(each => each.eventId)).size < callbacks.length)
    broken.push('two callbacks have one event id')
  for (const [identity, calls] of Map.groupBy(callbacks, identityOf)) {
    const sequences = calls.map(each => each.sequence)
    if (sequences.some((sequence, index) => sequence !== index + 1))
      broken.push(`${nameOf(identity).requestId}: callbacks numbered ${sequences.join(', ')}`)
  }
  const ofEnds = callbacks.filter(({ outcome }) => outcome !== 'BOUNCED')
  const byRecord = Map.groupBy(ofEnds, each => Number(each.context['number']))
  for (const history of histories)
    for (const asked of history.asked) {
      const calls = byRecord.get(asked.number) ?? []
      for (const text of brokenCalls(asked, calls, history, world.offsetsSetBack))
        broken.push(
          `${asked.request.source} ${asked.request.requestId} (record ${asked.number}): ${text}`,
        )
    }
  return broken
}

function brokenCalls(
  asked: Asked,
  calls: readonly EmailCallback[],
  history: RequestHistory,
  offsetsSetBack: boolean,
): string[] {
  const { original, ends } = history
  const told = calls.map(each => `${each.outcome} ${each.detail}`).join(', ')
  if (asked.request.callback === null)
    return calls.length > 0 ? [`did not ask, and was told ${told}`] : []
  if (calls.length === 0) return ['asked, and was told nothing']
  // Read again, it is too old again, or a repeat of what came in between: its identity was not taken by it.
  if (asked.ends.some(each => reasonOf(each) === 'TOO_OLD'))
    return calls.length > 1 && !offsetsSetBack ? [`was told ${told}`] : []
  if (asked === original) {
    const expected = ends.map(outcomeOf).toSorted()
    const actual = calls.map(each => each.outcome).toSorted()
    return expected.join() === actual.join() ? [] : [`was told ${told}, not ${expected.join()}`]
  }
  const [call] = calls
  if (call === undefined || calls.length > 1) return [`was told ${told}`]
  if (original !== undefined && !sameContent(asked.request, original.request))
    return call.detail.startsWith('CONFLICT') ? [] : [`contradicts, and was told ${told}`]
  const end = ends.find(each => call.detail.startsWith(wordsOf(each)))
  const right =
    call.outcome === 'DUPLICATE' && end !== undefined && end.messageId === call.messageId
  return right ? [] : [`repeats ${ends.map(wordsOf).join(', ')}, and was told ${told}`]
}

function outcomeOf(end: End): string {
  const reason = reasonOf(end)
  return reason === 'SENT' || reason === 'IN_DOUBT' ? reason : 'FAILED'
}

function wordsOf(end: End): string {
  const reason = reasonOf(end)
  return reason === 'SENT' || reason === 'IN_DOUBT' ? reason : `FAILED ${reason}`
}
