import { beforeEach, expect, test } from 'vitest'
import type { EffectEnd } from '../../src/effects/effect.ts'
import { disabledUrls, disabledUrlSerde } from '../../src/email/disabled-urls.ts'
import { TableContent } from '../../src/runtime/table-content.ts'
import { webhookEffect } from '../../src/email/webhook-effect.ts'
import { webhookRequestSerde } from '../../src/email/webhook-event.ts'
import { deadLetterOf } from '../../src/cli/dead-letters.ts'
import type { FindTable } from '../../src/global-table.ts'
import { WebhookSink } from '../../src/sinks/webhook-sink.ts'
import type { WebhookRequest } from '../../src/sinks/webhook-request.ts'
import { EmailFlow } from '../support/email-flow.ts'
import { emailRequested, noonMs } from '../support/email-requests.ts'

const url = 'https://user.example.org/hooks?key=of-theirs'
const callback = { context: { order: '7' }, url }

let flow: EmailFlow

beforeEach(() => {
  flow = new EmailFlow()
})

const webhooks = (): WebhookRequest[] =>
  flow.driver.requests('webhook').map(each => each.request as WebhookRequest)

/** A mail has ended, and its webhook is open. */
function openWebhook() {
  flow.request(emailRequested({ callback }))
  flow.endMail({ atMs: noonMs + 10 })
  const [input = expect.fail('no webhook')] = flow.driver.requests('webhook')
  return input
}

test('a callback with a URL is a webhook as well: type, time, and the callback itself', () => {
  openWebhook()

  const [webhook] = webhooks()
  const [record] = flow.driver.output(flow.topics.callback)
  const body: unknown = JSON.parse(webhook?.body ?? '')

  expect(webhook).toMatchObject({ eventId: record?.value?.eventId, url })
  expect(body).toEqual({
    type: 'email.sent',
    timestamp: new Date(noonMs + 10).toISOString(),
    data: { ...record?.value },
  })
  expect(body).toMatchObject({ data: { context: { order: '7' }, sequence: 1 } })
})

test('a duplicate gets its own webhook, at the URL that it gave', () => {
  openWebhook()

  flow.request(emailRequested({ callback: { context: {}, url: 'https://other.example.org/' } }))

  expect(webhooks().map(each => [each.url, JSON.parse(each.body).type])).toEqual([
    [url, 'email.sent'],
    ['https://other.example.org/', 'email.duplicate'],
  ])
  expect(new Set(webhooks().map(each => each.eventId)).size).toBe(2)
})

test('without a URL there is no webhook, and subscribers never see one', () => {
  flow.request(emailRequested({ callback: { context: {}, url: null } }))
  flow.endMail()
  flow.request(emailRequested({ requestId: 'r-2', callback }))
  flow.endMail()

  const subscribed = flow.driver.output(flow.topics.callback)

  expect(webhooks()).toHaveLength(1)
  expect(subscribed).toHaveLength(2)
  expect(JSON.stringify(subscribed.map(each => each.value))).not.toContain('example.org/hooks')
})

test('a URL that is none costs neither the mail nor the callback', () => {
  flow.request(emailRequested({ callback: { context: {}, url: 'not a url' } }))
  flow.endMail()

  expect(flow.callbacks()).toEqual(['1 SENT 250 accepted'])
  expect(webhooks().map(each => each.url)).toEqual(['not a url'])
})

test.each<{ kind: EffectEnd<unknown>['kind']; code: string; message: string }>([
  { kind: 'refused', code: 'WEBHOOK_REFUSED', message: 'user.example.org: HTTP 410' },
  {
    kind: 'retries-exhausted',
    code: 'WEBHOOK_UNDELIVERED',
    message: 'user.example.org: given up after 10 tries: HTTP 410',
  },
])('a webhook that ends as $kind is a dead letter, which can be replayed', async end => {
  const input = openWebhook()

  flow.driver.end('webhook', input, { kind: end.kind, detail: 'HTTP 410', attempts: 10 })

  const [record = expect.fail('no dead letter')] = flow.driver.deadLetters()
  const letter = deadLetterOf(record)
  expect(record.key).toEqual(input.key)
  expect(record.value).toEqual(input.payload)
  expect(letter).toMatchObject({ code: end.code, message: end.message })
  expect(letter?.source).toEqual({
    topic: 'mailonce-webhooks-repartition',
    partition: input.origin.partition,
    offset: input.origin.offset,
  })
  expect(letter?.message).not.toContain('of-theirs')
})

test('a receiver that answers 410 disables its URL; other refusals do not', () => {
  const first = openWebhook()
  flow.driver.end('webhook', first, { kind: 'refused', reply: 'HTTP 410', atMs: noonMs + 20 })
  flow.request(emailRequested({ requestId: 'r-2', callback }))
  flow.endMail()
  const [second = expect.fail('no webhook')] = flow.driver.requests('webhook')
  flow.driver.end('webhook', second, { kind: 'refused', reply: 'it is no URL' })

  const disabled = flow.driver.output(flow.topics.webhooksDisabled)

  expect(disabled.map(({ key, value }) => ({ key, value }))).toEqual([
    { key: url, value: { reason: 'HTTP 410', by: 'user.example.org', atMs: noonMs + 20 } },
  ])
})

test('of URLs that receivers disabled the oldest are forgotten, of those that people disabled none', () => {
  const { keep, bound } = disabledUrls(flow.topics.webhooksDisabled)
  const table = new TableContent<unknown>(1, { ...bound!, entriesMax: 3 })
  const disable = (name: string, reason: string): void =>
    table.put(0, name, keep({ reason, by: 'x', atMs: noonMs }))

  disable('by-hand', 'spam')
  for (const each of ['gone-1', 'gone-2', 'gone-3', 'gone-4']) disable(each, 'HTTP 410')

  const known = ['by-hand', 'gone-1', 'gone-2', 'gone-3', 'gone-4'].filter(each => table.get(each))
  expect(known).toEqual(['by-hand', 'gone-3', 'gone-4'])
  expect(bound?.entriesMax).toBe(100_000)
})

test('at a disabled URL nothing is tried, whether it is new or waits for a retry', () => {
  const table = disabledUrls(flow.topics.webhooksDisabled)
  const { refusals } = webhookEffect(
    { sink: new WebhookSink({ keys: [] }), retryDelaysMs: [] },
    table,
  )
  const find: FindTable = () => new Map([[url, { atMs: noonMs, isGone: true }]]) as never
  const at = (each: string) =>
    refusals?.({ eventId: 'e', url: each, body: '' }, ['user.example.org'], find)

  expect(at(url)).toEqual([
    {
      target: 'user.example.org',
      reply: `disabled since ${new Date(noonMs).toISOString()}: see mailonce webhooks list`,
    },
  ])
  expect(at('https://user.example.org/others')).toEqual([])
})

test.each(['', '{}', '{"reason":"r","by":"b","atMs":"now"}'])('%j disables nothing', text => {
  expect(() => disabledUrlSerde.deserialize(Buffer.from(text))).toThrow(
    expect.objectContaining({ code: 'RECORD_UNDECODABLE' }) as Error,
  )
})

test('a webhook that was delivered leaves nothing behind', () => {
  const input = openWebhook()

  flow.driver.end('webhook', input, { kind: 'done' })

  expect(flow.driver.deadLetters()).toEqual([])
})

test.each([
  '',
  'null',
  '7',
  '[]',
  '{"eventId":"e","url":"u"}',
  '{"eventId":1,"url":"u","body":"b"}',
])('%j is no webhook', text => {
  expect(() => webhookRequestSerde.deserialize(Buffer.from(text))).toThrow(
    expect.objectContaining({ code: 'RECORD_UNDECODABLE' }) as Error,
  )
})
