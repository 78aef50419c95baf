import { expect, test } from 'vitest'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { CountingSmtpServer } from '../support/smtp/counting-smtp-server.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { attemptOf, failed, noSignal, prepared } from './mail-fixture.ts'

const sinkTo = (url: string, connectionsMax = 20): SmtpSink =>
  new SmtpSink({ url, from: 'default@example.org', connectionsMax })

test('the counting relay tells what was mailed twice, to whom, and whether the bytes were the same', async () => {
  await using relay = await CountingSmtpServer.start()
  await using sink = sinkTo(relay.url)
  const hashes: string[] = []

  for (const requestId of ['r-1', 'r-2', 'r-1']) {
    const attempt = await prepared(sink, attemptOf({ requestId, text: '.dot\n..dots\n' }))
    hashes.push(attempt.contentHash)
    await attempt.perform(() => true)
  }

  const { accepted, delivered, repeated, changed } = relay.status()
  expect({ accepted, delivered, changed }).toEqual({ accepted: 3, delivered: 2, changed: [] })
  expect(repeated).toEqual([
    expect.stringMatching(/^<[a-z2-7]{52}@example\.org> ann@example\.com$/),
  ])
  expect(relay.journal.deliveries.map(delivery => delivery.contentHash)).toEqual(hashes)
})

test('in its own process, it takes the faults it is told', async () => {
  await using relay = await CountingSmtpProcess.start({ dropAfterDot: 1 })
  await using sink = sinkTo(relay.url)

  const taken = await (await prepared(sink)).perform(() => true)
  await relay.setFaults({ loseAfterDot: 1 })
  const lost = await (await prepared(sink)).perform(() => true)
  await relay.setFaults({ deferDot: 1 })
  const deferred = await (await prepared(sink)).perform(() => true)
  await relay.setFaults({ dropBeforeDot: 1 })
  const dropped = await sink.prepare(attemptOf(), noSignal)
  const after = dropped.kind === 'prepared' ? await dropped.perform(() => true) : dropped
  await relay.setFaults({ refuseRecipients: '^ann@' })
  const refused = await failed(sink)

  expect([taken.kind, lost.kind, deferred.kind]).toEqual(['unknown', 'unknown', 'deferred'])
  expect(['failed', 'abandoned', 'unknown']).toContain(after.kind)
  expect(refused.refused).toHaveLength(1)
  expect(await relay.deliveries()).toMatchObject([{ replied: false }])
})

test('in its own process, it is put out of service and back', async () => {
  await using relay = await CountingSmtpProcess.start()
  await using sink = sinkTo(relay.url)
  const held = await prepared(sink)

  await relay.setMode('drop')
  await held.lost
  const during = await failed(sink)
  await relay.setMode('refuse')
  const refused = await failed(sink)
  await relay.setMode('normal')
  const outcome = await (await prepared(sink)).perform(() => true)

  expect(during).toMatchObject({ reached: false, unavailable: true })
  expect(refused).toMatchObject({ unavailable: true, reply: '421 4.3.2 counting.test is closing' })
  expect(outcome.kind).toBe('done')
  expect(await relay.counts()).toMatchObject({ accepted: 1, delivered: 1, repeated: [] })
})

test('two hundred mails over eight connections each arrive once', async () => {
  await using relay = await CountingSmtpServer.start()
  await using sink = sinkTo(relay.url, 8)
  const requestIds = Array.from({ length: 200 }, (_, index) => `r-${index}`)

  const kinds = await Promise.all(
    requestIds.map(async requestId => {
      const attempt = await prepared(sink, attemptOf({ requestId }))
      return (await attempt.perform(() => true)).kind
    }),
  )

  expect(new Set(kinds)).toEqual(new Set(['done']))
  expect(relay.status()).toMatchObject({ accepted: 200, delivered: 200, openConnectionsMax: 8 })
})
