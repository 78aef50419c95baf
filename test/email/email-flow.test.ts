import { expect, test } from 'vitest'
import { EmailFlow, flowWindowMs, plainSerdes } from '../support/email-flow.ts'
import { emailRequested } from '../support/email-requests.ts'

const callback = { context: {}, url: null }

test('a request becomes one mail, one outcome and one callback', () => {
  const flow = new EmailFlow()

  flow.request(emailRequested({ callback }))
  const mails = flow.mails()
  flow.endMail()

  expect(mails).toHaveLength(1)
  expect(flow.driver.output(flow.topics.sent).map(each => each.key)).toEqual(['r-1'])
  expect(flow.failures()).toEqual([])
  expect(flow.callbacks()).toEqual(['1 SENT 250 accepted'])
})

test('repeats in any partition are one mail, and each that asked hears how it ended', () => {
  const flow = new EmailFlow()

  for (const partition of [0, 1, 2, undefined])
    flow.request(emailRequested({ callback }), partition)
  const mails = flow.mails()
  const early = flow.callbacks()
  flow.endMail({ kind: 'refused' })
  flow.request(emailRequested({ callback }), 2)

  expect(mails).toHaveLength(1)
  expect(early).toEqual([])
  expect(flow.callbacks()).toEqual([
    '1 FAILED REJECTED: ',
    '2 DUPLICATE FAILED REJECTED',
    '3 DUPLICATE FAILED REJECTED',
    '4 DUPLICATE FAILED REJECTED',
    '5 DUPLICATE FAILED REJECTED',
  ])
  expect(flow.driver.count('requests_rerouted')).toBe(2) // partition 2 of 3 is its own
  expect(flow.driver.deadLetters()).toEqual([])
})

test('what is never mailed ends as a failure with a callback of its own', () => {
  const flow = new EmailFlow()

  flow.request(emailRequested())
  flow.request(emailRequested({ subject: 'B', callback }))
  flow.request(emailRequested({ requestId: 'r-2', to: ['nobody'], callback }))
  flow.request(emailRequested({ requestId: 'r-3', requestedAt: 0, callback }))

  expect(flow.mails()).toHaveLength(1)
  expect(flow.failures()).toEqual(['CONFLICT', 'INVALID', 'TOO_OLD'])
  expect(flow.callbacks()).toEqual([
    expect.stringMatching(/^1 FAILED CONFLICT: /) as string,
    expect.stringMatching(/^1 FAILED INVALID: to: "nobody" is not a bare address$/) as string,
    expect.stringMatching(/^1 FAILED TOO_OLD: /) as string,
  ])
})

test('an end in doubt is revised once it is resolved', () => {
  const flow = new EmailFlow()
  flow.request(emailRequested({ callback }))

  flow.endMail({ kind: 'in-doubt', detail: 'the connection closed' })
  flow.request(emailRequested({ callback }))

  expect(flow.failures()).toEqual(['IN_DOUBT'])
  expect(flow.callbacks()).toEqual(['1 IN_DOUBT the connection closed', '2 DUPLICATE IN_DOUBT'])
})

test('what does not decode goes to the dead letters and nowhere else', () => {
  const flow = new EmailFlow()

  flow.driver.pipeBytes(flow.topics.requested, { key: null, value: Buffer.from('nonsense') })

  const [letter, ...more] = flow.driver.deadLetters()
  expect(more).toEqual([])
  expect(letter?.value?.toString()).toBe('nonsense')
  expect(flow.mails()).toEqual([])
  expect(flow.failures()).toEqual([])
})

test('the bytes of the producer reach the mail, wherever they were written', () => {
  const flow = new EmailFlow()
  const bytes = plainSerdes.requested.serialize(emailRequested())

  flow.request(emailRequested(), 0)
  flow.request(emailRequested({ requestId: 'r-2' }), 0)

  expect(flow.mails().map(each => each.payload)).toContainEqual(bytes)
  expect(new Set(flow.mails().map(each => each.key.toString()))).toEqual(new Set(['r-1', 'r-2']))
})

test('after the window the same id asks for another mail', () => {
  const flow = new EmailFlow()
  flow.request(emailRequested({ callback }))
  flow.endMail()
  flow.driver.advance(flowWindowMs + 1)

  flow.request(emailRequested({ callback, requestedAt: flow.driver.nowMs }))
  flow.request(emailRequested({ callback }))
  const early = flow.callbacks()
  flow.endMail({ kind: 'expired', detail: 'too late' })

  expect(early).toEqual(['1 SENT 250 accepted'])
  expect(flow.callbacks()).toEqual(['2 FAILED EXPIRED: too late', '3 DUPLICATE FAILED EXPIRED'])
})
