import { expect, test } from 'vitest'
import { envelopeAddress } from '../../src/sinks/mail-address.ts'
import type { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { reply, type SmtpScript } from '../support/smtp/smtp-script.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import { attemptOf, failed, prepared, sinkOf } from './mail-fixture.ts'

const people = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `person-${index}@example.com`)

/** A relay that takes so many recipients in one transaction. */
function taking(max: number, refusal = '452 4.5.3 too many recipients'): SmtpScript {
  let count = 0
  return {
    mail: () => {
      count = 0
      return reply('250 2.1.0 ok')
    },
    rcpt: () => reply((count += 1) > max ? refusal : '250 2.1.5 ok'),
  }
}

/** Tries those who are in no list until there are none, as the engine does; says whom each dot served. */
async function sendInParts(sink: SmtpSink, to: readonly string[]): Promise<string[][]> {
  const parts: string[][] = []
  for (let left = [...to]; left.length > 0;) {
    const attempt = await prepared(sink, attemptOf({ to: [...to] }, left))
    expect([...attempt.refused, ...attempt.deferred]).toEqual([])
    expect((await attempt.perform(() => true)).kind).toBe('done')
    parts.push([...attempt.accepted])
    left = left.filter(target => !attempt.accepted.includes(target))
  }
  return parts
}

const rcpts = (relay: ScriptedSmtpServer): number =>
  relay.commands.filter(line => line.startsWith('RCPT')).length

test('a mail to more recipients than one transaction may have goes in several', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay, { recipientsMax: 2 })
  const to = people(5)

  const parts = await sendInParts(sink, to)

  expect(parts).toEqual([to.slice(0, 2), to.slice(2, 4), to.slice(4)])
  expect(relay.accepted.map(mail => mail.to)).toEqual(parts.map(part => part.map(envelopeAddress)))
  expect(new Set(relay.accepted.map(mail => mail.data)).size).toBe(1)
  expect(rcpts(relay)).toBe(5)
})

test('up to 100 go in one transaction', async () => {
  await using relay = await ScriptedSmtpServer.start()
  await using sink = sinkOf(relay)

  const parts = await sendInParts(sink, people(101))

  expect(parts.map(part => part.length)).toEqual([100, 1])
})

test.each([
  '452 4.5.3 too many recipients',
  '452 too many recipients',
  '552 too many recipients',
  '451 4.5.3 another transaction, please',
])(
  'a relay that has its fill (%s) gets the others at once, and is not asked for more again',
  async refusal => {
    await using relay = await ScriptedSmtpServer.start(taking(3, refusal))
    await using sink = sinkOf(relay)
    const to = people(7)

    const parts = await sendInParts(sink, to)

    expect(parts.map(part => part.length)).toEqual([3, 3, 1])
    // Seven to find out, and then only as many as it takes.
    expect(rcpts(relay)).toBe(7 + 3 + 1)
    expect(relay.accepted.flatMap(mail => mail.to)).toEqual(to)
  },
)

test('what it takes is looked at again after an hour', async () => {
  const clock = new ManualClock()
  await using relay = await ScriptedSmtpServer.start(taking(3))
  await using sink = sinkOf(relay, { clock, idleTimeoutMs: 3_600_000 })
  await sendInParts(sink, people(4))
  const before = rcpts(relay)

  clock.advance(3_599_999)
  await sendInParts(sink, people(4))
  const soon = rcpts(relay) - before
  clock.advance(1)
  await sendInParts(sink, people(4))

  expect(soon).toBe(3 + 1)
  expect(rcpts(relay) - before - soon).toBe(4 + 1)
})

test('a relay that has no room for a single one says "not now"', async () => {
  await using relay = await ScriptedSmtpServer.start(taking(0))
  await using sink = sinkOf(relay)

  const attempt = await failed(sink, attemptOf({ to: people(2) }))

  expect(attempt.deferred.map(each => each.target)).toEqual(people(2))
  expect(attempt).toMatchObject({ refused: [], unavailable: false, reached: true })
})

test.each([
  { why: 'the relay had its fill', script: taking(2), recipientsMax: 100 },
  { why: 'they were not asked for', script: {}, recipientsMax: 2 },
])(
  'those left out because $why do not share the fate of the others',
  async ({ script, recipientsMax }) => {
    await using relay = await ScriptedSmtpServer.start({ ...script, data: reply('554 5.7.1 spam') })
    await using sink = sinkOf(relay, { recipientsMax })
    const to = people(3)

    const attempt = await failed(sink, attemptOf({ to }))

    expect(attempt.refused.map(each => each.target)).toEqual(to.slice(0, 2))
    expect(attempt.deferred).toEqual([])
  },
)
