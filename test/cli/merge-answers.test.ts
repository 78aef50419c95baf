import { expect, test } from 'vitest'
import { mergeAnswers } from '../../src/cli/merge-answers.ts'
import type { QueryAnswer } from '../../src/cli/request-queries.ts'

const own = 'own:1'
const to = (owner: string): QueryAnswer => ({
  status: 307,
  body: { owner },
  location: `http://${owner}/requests/a/b`,
})
const found: QueryAnswer = { status: 200, body: { state: 'sent' } }
const unknown: QueryAnswer = { status: 404, body: { error: 'not known' } }
const starting: QueryAnswer = { status: 503, body: { error: 'not running yet' } }

test.each([
  { rule: 'whoever has the request answers', answers: [to(own), found], status: 200 },
  {
    rule: 'whoever would have it says that nobody knows it',
    answers: [unknown, to(own)],
    status: 404,
  },
  {
    rule: 'another instance is where all point to',
    answers: [to('other:2'), to('other:2')],
    status: 307,
  },
  { rule: 'nobody is sent where the question came from', answers: [to(own), to(own)], status: 503 },
  {
    rule: 'a thread that is stuck leaves the answer to the others',
    answers: [undefined, found],
    status: 200,
  },
  {
    rule: 'the one who knows where is believed before the one who starts',
    answers: [starting, to('other:2')],
    status: 307,
  },
])('$rule', ({ answers, status }) => {
  expect(mergeAnswers(answers, own)?.status).toBe(status)
})

test('a path that no thread knows is unknown', () => {
  expect(mergeAnswers([undefined, undefined], own)).toBeUndefined()
})

test('in-doubt requests are one list, the oldest first, over all parts', () => {
  const list = (parts: number, ...at: readonly string[]): QueryAnswer => ({
    status: 200,
    body: {
      requests: at.map(each => ({ at: each })),
      truncated: false,
      parts,
      partsOfAll: 6,
      instance: own,
      instances: [own, 'other:2'],
    },
  })

  const answer = mergeAnswers([list(2, '2026-01-02'), list(1, '2026-01-01', '2026-01-03')], own)

  expect(answer?.body).toEqual({
    requests: [{ at: '2026-01-01' }, { at: '2026-01-02' }, { at: '2026-01-03' }],
    truncated: false,
    parts: 3,
    partsOfAll: 6,
    instance: own,
    instances: [own, 'other:2'],
  })
})
