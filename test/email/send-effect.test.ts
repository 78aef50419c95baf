import assert from 'node:assert/strict'
import { expect, test } from 'vitest'
import type { EffectEnd, EndKind, TargetState } from '../../src/effects/effect.ts'
import { originHeaders } from '../../src/email/record-headers.ts'
import type { EmailFailed, EmailRequested, EmailSent } from '../../src/email/records.ts'
import { sendEffect } from '../../src/email/send-effect.ts'
import { suppressionList } from '../../src/email/suppression.ts'
import { emailTopics } from '../../src/email/topics.ts'
import type { Serde } from '../../src/serde.ts'
import { idleSink, plainSerdes } from '../support/email-flow.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const options = {
  sink: idleSink,
  suppressed: suppressionList(emailTopics(plainSerdes, 1).suppressed),
  requested: plainSerdes.dedup,
  inDoubt: 'hold',
  retryDelaysMs: [1],
  rememberMs: 2,
} as const
const effect = sendEffect(options)
const callback = { context: { order: '7' }, url: null }
const place = { partition: 3, offset: 9, timestampMs: noonMs - 50 }

function endOf(kind: EndKind, fields: Partial<EffectEnd<EmailRequested>> = {}) {
  const output = effect.output({
    kind,
    identity: 'billing\0r-1',
    request: emailRequested({ callback }),
    key: Buffer.from('r-1'),
    headers: [],
    targets: [{ target: 'ada@example.org', status: 'accepted', reply: '250 ok' }],
    attempts: 2,
    messageId: '<m@example.org>',
    relay: 'relay:25',
    reply: '250 queued',
    detail: 'why',
    atMs: noonMs + 10,
    revised: false,
    ...fields,
  })
  assert(output !== null)
  return output
}

test('each distinct address of to, cc and bcc is a target, as written', () => {
  const request = emailRequested({
    to: ['ada@example.org', 'Ada@example.org', 'ada@example.org'],
    cc: ['bob@example.org'],
    bcc: ['bob@example.org', 'eve@EXAMPLE.org'],
  })

  const { targets } = effect.plan(request, { timestampMs: noonMs })

  expect(targets).toEqual([
    'ada@example.org',
    'Ada@example.org',
    'bob@example.org',
    'eve@EXAMPLE.org',
  ])
})

test('a mail is first seen when its request was, not when it was accepted', () => {
  const record = { timestampMs: noonMs, headers: originHeaders(place) }

  expect(effect.plan(emailRequested(), record).firstSeenMs).toBe(noonMs - 50)
  expect(effect.plan(emailRequested(), { timestampMs: noonMs }).firstSeenMs).toBe(noonMs)
})

test('a plan takes over the times of the request and names it', () => {
  const plan = effect.plan(emailRequested({ notBefore: 5, expiresAt: 6 }), { timestampMs: noonMs })

  expect(plan).toMatchObject({ identity: 'billing\0r-1', notBeforeMs: 5, expiresAtMs: 6 })
})

test.each<{ asked: EmailRequested['inDoubt']; configured: 'hold' | 'resend'; planned: string }>([
  { asked: 'DEFAULT', configured: 'hold', planned: 'hold' },
  { asked: 'DEFAULT', configured: 'resend', planned: 'resend' },
  { asked: 'HOLD', configured: 'resend', planned: 'hold' },
  { asked: 'RESEND', configured: 'hold', planned: 'resend' },
])('in doubt: $asked where $configured is configured', ({ asked, configured, planned }) => {
  const configuredEffect = sendEffect({ ...options, inDoubt: configured })

  const plan = configuredEffect.plan(emailRequested({ inDoubt: asked }), { timestampMs: noonMs })

  expect(plan.inDoubt).toBe(planned)
})

test('high priority goes first, bulk last', () => {
  const order = (['BULK', 'HIGH', 'NORMAL'] as const).map(
    priority => effect.plan(emailRequested({ priority }), { timestampMs: noonMs }).priority,
  )

  expect(order).toEqual([2, 0, 1])
})

test('what was accepted for somebody is sent, with the fate of every recipient', () => {
  const targets: TargetState[] = [
    { target: 'ada@example.org', status: 'accepted', reply: '250 ok' },
    { target: 'bob@example.org', status: 'refused', reply: '550 no' },
    { target: 'eve@example.org', status: 'unknown', reply: '' },
    { target: 'joe@example.org', status: 'pending', reply: '451 later' },
  ]

  const output = endOf('done', { targets })

  expect(output).toMatchObject({ to: 'sent', key: Buffer.from('r-1'), timestampMs: noonMs + 10 })
  expect(output.value).toEqual({
    requestId: 'r-1',
    source: 'billing',
    messageId: '<m@example.org>',
    recipients: [
      { address: 'ada@example.org', status: 'ACCEPTED', reply: '250 ok' },
      { address: 'bob@example.org', status: 'REJECTED', reply: '550 no' },
      { address: 'eve@example.org', status: 'UNKNOWN', reply: '' },
      { address: 'joe@example.org', status: 'REJECTED', reply: '451 later' },
    ],
    relay: 'relay:25',
    reply: '250 queued',
    attempts: 2,
    callback,
    requestedAt: noonMs,
    sentAt: noonMs + 10,
  } satisfies EmailSent)
})

test.each<{ kind: EndKind; reason: EmailFailed['reason'] }>([
  { kind: 'refused', reason: 'REJECTED' },
  { kind: 'retries-exhausted', reason: 'RETRIES_EXHAUSTED' },
  { kind: 'expired', reason: 'EXPIRED' },
  { kind: 'in-doubt', reason: 'IN_DOUBT' },
  { kind: 'cancelled', reason: 'CANCELLED' },
])('the end $kind is the failure $reason', ({ kind, reason }) => {
  const output = endOf(kind, { messageId: null, relay: null })

  expect(output.to).toBe('failed')
  expect(output.value).toEqual({
    requestId: 'r-1',
    source: 'billing',
    reason,
    detail: 'why',
    recipients: [{ address: 'ada@example.org', status: 'ACCEPTED', reply: '250 ok' }],
    attempts: 2,
    messageId: null,
    relay: null,
    callback,
    requestedAt: noonMs,
    failedAt: noonMs + 10,
  } satisfies EmailFailed)
})

test('every outcome is a value of its schema', () => {
  const { sent, failed } = plainSerdes as unknown as Record<'sent' | 'failed', Serde<unknown>>
  const { value: sentValue } = endOf('done', { messageId: null, relay: null })
  const { value: failedValue } = endOf('in-doubt')

  expect(sent.deserialize(sent.serialize(sentValue))).toEqual(sentValue)
  expect(failed.deserialize(failed.serialize(failedValue))).toEqual(failedValue)
})

test('an outcome carries the trace of its request and no other header of it', () => {
  const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const headers = [
    { key: 'tenant', value: Buffer.from('a') },
    { key: 'traceparent', value: Buffer.from(trace) },
  ]

  expect(endOf('done', { headers }).headers).toEqual(headers.slice(1))
  expect(endOf('done').headers.map(each => each.key)).toEqual(['traceparent'])
})

test('an outcome for very many stays small, whatever the relay says', () => {
  const targets = Array.from({ length: 1000 }, (_, index): TargetState => ({
    target: `a${index}@example.org`,
    status: 'refused',
    reply: `550 5.1.1 ${'x'.repeat(500)}`,
  }))

  const { recipients } = endOf('refused', { targets }).value as EmailFailed

  const replies = recipients.map(each => each.reply).join('')
  expect(recipients).toHaveLength(1000)
  expect(replies.length).toBeLessThanOrEqual(32 * 1024)
  expect(recipients[999]?.reply).toMatch(/^550 5\.1\.1 /)
})

const record = { timestampMs: noonMs + 99, headers: originHeaders(place) }

test('what takes the identity of a request that is still on its way is a duplicate of that one', () => {
  const repeat = emailRequested({ callback, requestedAt: noonMs + 98 })

  const output = effect.repeated?.(repeat, record, emailRequested())

  expect(output).toMatchObject([
    {
      to: 'repeated',
      key: Buffer.from('r-1'),
      value: {
        callback,
        ...place,
        taker: { requestedAtMs: noonMs + 98, words: null },
        original: { requestedAtMs: noonMs },
      },
      timestampMs: noonMs + 99,
    },
  ])
})

test('without a callback it only says that it has no end of its own', () => {
  const output = effect.repeated?.(emailRequested(), record, emailRequested())

  expect(output).toMatchObject([{ to: 'repeated', value: { callback: null, taker: {} } }])
})

test('other content under the id of what is still on its way is a conflict, for its duplicates as well', () => {
  const output = effect.repeated?.(emailRequested({ subject: 'B' }), record, emailRequested())

  expect(output).toMatchObject([
    { to: 'failed', value: { reason: 'CONFLICT', attempts: 0 } },
    { to: 'repeated', value: { callback: null, taker: { words: 'FAILED CONFLICT' } } },
  ])
})

test.each(['refused', 'retries-exhausted', 'expired'] as const)(
  'what a dry run kept back ends as DRY_RUN, also where others made it end as %s',
  kind => {
    const { to, value } = endOf(kind, {
      targets: [
        { target: 'ada@example.org', status: 'refused', reply: 'dry run: relay:25 took it' },
        { target: 'bob@example.org', status: 'refused', reply: '550 no' },
      ],
    })

    expect(to).toBe('failed')
    expect(value).toMatchObject({ reason: 'DRY_RUN' })
  },
)

test('in a dry run too, what the relay refused is REJECTED', () => {
  const { value } = endOf('refused', {
    targets: [{ target: 'ada@example.org', status: 'refused', reply: '550 no' }],
  })

  expect(value).toMatchObject({ reason: 'REJECTED' })
})
