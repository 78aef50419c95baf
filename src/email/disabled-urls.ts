import { StreamsError } from '../errors.ts'
import { globalTable, type GlobalTable, type TableTopic } from '../global-table.ts'
import type { Serde } from '../serde.ts'
import { goneReply } from '../sinks/webhook-sink.ts'

/** A URL that gets no webhooks any more. The key of its record is the URL, as requests give it. */
export interface DisabledUrl {
  /** The receiver's word, or a person's. */
  readonly reason: string
  /** Who disabled it: a person, or the receiver by its answer. */
  readonly by: string
  /** Milliseconds. */
  readonly atMs: number
}

/** What stays in memory of an entry. */
export interface DisabledSince {
  /** Milliseconds. */
  readonly atMs: number
  /** By its receiver's answer, not by a person. */
  readonly isGone: boolean
}

export type DisabledUrls = GlobalTable<DisabledSince>

/** Of those that receivers disabled. One of them may make up as many URLs as it gets mails with callbacks, and answer 410 to each. */
const goneMax = 100_000

/** A URL that is forgotten is asked once more, and disabled again if it still answers 410. */
export function disabledUrls(topic: TableTopic<DisabledUrl>): DisabledUrls {
  return globalTable('webhooks-disabled', topic, {
    keep: ({ atMs, reason }: DisabledUrl): DisabledSince => ({
      atMs,
      isGone: reason === goneReply,
    }),
    bound: { entriesMax: goneMax, mayForget: ({ isGone }) => isGone },
  })
}

/** JSON: nobody but operators reads it. */
export const disabledUrlSerde: Serde<DisabledUrl> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (disabled: DisabledUrl) => Buffer.from(JSON.stringify(disabled)),
  deserialize: (bytes: Buffer): DisabledUrl => {
    const { reason, by, atMs } = parsed(bytes)
    if (typeof reason === 'string' && typeof by === 'string' && Number.isSafeInteger(atMs))
      return { reason, by, atMs: atMs as number }
    throw new StreamsError('RECORD_UNDECODABLE', 'a disabled URL without reason, by or atMs')
  },
})

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(bytes.toString('utf8')) ?? {}) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new StreamsError('RECORD_UNDECODABLE', 'not a disabled URL', { cause })
  }
}
