import { expect, test } from 'vitest'
import { threadAnswer } from '../../src/cli/thread-answers.ts'
import { StreamsError } from '../../src/errors.ts'

const closing = {
  query: () => Promise.reject(new StreamsError('CLOSED', 'the store is closed')),
  measured: () => Promise.reject(new StreamsError('CLOSED', 'the store is closed')),
}

test('a question about a store that is just being closed is answered, and ends no thread', async () => {
  const answer = await threadAnswer(closing, { about: 'query', path: '/requests/in-doubt' })

  expect(answer).toEqual({ status: 500, body: { error: expect.stringContaining('is closed') } })
})

test('what cannot be measured is left out', async () => {
  await expect(threadAnswer(closing, { about: 'metrics' })).resolves.toBeUndefined()
})
