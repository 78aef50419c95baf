import { expect, test } from 'vitest'
import {
  type DedupEntry,
  dedupEntrySerde,
  newlySeen,
  requestedAheadMaxMs,
} from '../../src/email/dedup-store.ts'
import { duplicateRequestSerde } from '../../src/email/duplicate-request.ts'
import { type OutcomeEntry, outcomeEntrySerde } from '../../src/email/outcome-store.ts'
import { duplicateRequest } from '../support/callback-stage.ts'
import { noonMs } from '../support/email-requests.ts'

const place = { partition: 5, offset: 2 ** 40, timestampMs: noonMs }
const written = duplicateRequestSerde.serialize(duplicateRequest())
const callback = { context: { ä: 'ö' }, url: 'https://example.org/' }

test.each<DedupEntry>([
  { kind: 'horizon', horizonMs: noonMs },
  {
    kind: 'seen',
    firstSeenMs: noonMs,
    requestedAtMs: noonMs - 1,
    countedFromMs: noonMs + 1,
    contentHash: '07'.repeat(32),
    answered: [place, { ...place, partition: 0 }],
  },
])('a dedup entry is read as it was written: $kind', entry => {
  expect(dedupEntrySerde.deserialize(dedupEntrySerde.serialize(entry))).toEqual(entry)
})

const aheadMs = noonMs + requestedAheadMaxMs

test.each([
  { requestedAtMs: noonMs - 1, countedFromMs: noonMs },
  { requestedAtMs: noonMs + 1, countedFromMs: noonMs + 1 },
  { requestedAtMs: aheadMs + 1, countedFromMs: aheadMs },
])(
  'an identity seen for the first time is stored like every other: requested at $requestedAtMs',
  ({ requestedAtMs, countedFromMs }) => {
    const seen = newlySeen(requestedAtMs, place, '0a'.repeat(32))

    const bytes = dedupEntrySerde.serialize(seen)

    const { kind, firstSeenMs, contentHash, answered } = seen
    const entry = { kind, firstSeenMs, contentHash, answered, requestedAtMs, countedFromMs }
    expect(entry).toMatchObject({ firstSeenMs: noonMs, answered: [place] })
    expect(dedupEntrySerde.deserialize(bytes)).toEqual(entry)
    expect(dedupEntrySerde.serialize(entry)).toEqual(bytes)
  },
)

test.each<OutcomeEntry>([
  {
    kind: 'outcome',
    sequence: 3,
    end: { words: 'SENT', messageId: null, requestedAtMs: noonMs, atMs: noonMs + 1 },
    pages: 1,
    waiting: 2,
    awaited: true,
    touchedMs: noonMs,
    laterTakers: [{ requestedAtMs: noonMs - 2, words: 'FAILED CONFLICT' }],
  },
  {
    kind: 'page',
    duplicates: [{ ...place, callback, headers: [{ key: 'a', value: null }] }],
  },
])('an outcome is read as it was written: $kind', entry => {
  const read = outcomeEntrySerde.deserialize(outcomeEntrySerde.serialize(entry))

  expect(JSON.stringify(read)).toBe(JSON.stringify(entry))
})

test('a duplicate is read as it was written', () => {
  const duplicate = duplicateRequest({ callback, ...place })

  const read = duplicateRequestSerde.deserialize(duplicateRequestSerde.serialize(duplicate))

  expect(JSON.parse(JSON.stringify(read))).toEqual(duplicate)
})

test('what the first release has written is understood', () => {
  const outcome = outcomeEntrySerde.deserialize(Buffer.from('AQYCCFNFTlQAiA6KDgIEAYwO', 'base64'))
  const duplicate = duplicateRequestSerde.deserialize(
    Buffer.from('AQ5iaWxsaW5nBnItMQIKb3JkZXIKYWdhaW4AAADIAdAPiA7QjAE=', 'base64'),
  )

  expect(outcome).toMatchObject({ sequence: 3, end: { words: 'SENT' }, touchedMs: 902 })
  expect(outcome).toMatchObject({ laterTakers: [] })
  expect(duplicate).toMatchObject({ callback: { context: { order: 'again' } }, offset: 100 })
  expect(duplicate.taker).toBeNull()
})

test.each([
  { what: 'a dedup entry', serde: dedupEntrySerde },
  { what: 'an outcome', serde: outcomeEntrySerde },
])('$what of a kind that this release does not know is not guessed at', ({ serde }) => {
  expect(() => serde.deserialize(Buffer.from([9, 0]))).toThrow(
    expect.objectContaining({ code: 'STORE_UNREADABLE' }),
  )
})

test.each([
  { what: 'of another format', bytes: Buffer.concat([Buffer.from([9]), written.subarray(1)]) },
  { what: 'cut short', bytes: written.subarray(0, 9) },
])('a duplicate $what is undecodable', ({ bytes }) => {
  expect(() => duplicateRequestSerde.deserialize(bytes)).toThrow(
    expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
  )
})
