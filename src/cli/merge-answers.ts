import type { InDoubtAnswer, QueryAnswer } from './request-queries.ts'

/**
 * One answer out of those of the threads of a process, which is one instance to others. Whoever owns the request answers 200 or 404; the others
 * point to this very address, or to another instance.
 */
export function mergeAnswers(
  answers: readonly (QueryAnswer | undefined)[],
  own: string | undefined,
): QueryAnswer | undefined {
  const known = answers.filter(each => each !== undefined)
  const lists = known.filter(isInDoubt)
  if (lists.length > 0) return { status: 200, body: mergeInDoubt(lists.map(each => each.body)) }
  const elsewhere = known.find(
    ({ status, body }) => status === 307 && (body as { owner: string }).owner !== own,
  )
  const nobody = { status: 503, body: { error: 'nobody is known to own it now' } }
  return (
    known.find(each => each.status === 200) ??
    known.find(each => each.status === 404) ??
    elsewhere ??
    known.find(each => each.status === 503) ??
    (known.length > 0 ? nobody : undefined)
  )
}

function isInDoubt(answer: QueryAnswer): answer is QueryAnswer & { readonly body: InDoubtAnswer } {
  const { status, body } = answer
  return status === 200 && Array.isArray((body as Partial<InDoubtAnswer>).requests)
}

function mergeInDoubt(lists: readonly InDoubtAnswer[]): InDoubtAnswer {
  const [first] = lists
  return {
    requests: lists
      .flatMap(each => each.requests)
      .toSorted((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1)),
    truncated: lists.some(each => each.truncated),
    parts: lists.reduce((sum, each) => sum + each.parts, 0),
    partsOfAll: first!.partsOfAll,
    instance: first!.instance,
    instances: [...new Set(lists.flatMap(each => each.instances))],
  }
}
