import { StreamsError } from '../errors.ts'
import { globalTable, type GlobalTable, type TableTopic } from '../global-table.ts'
import type { Serde } from '../serde.ts'

/** A URL that gets no webhooks any more. The key of its record is the URL, as requests give it. */
export interface DisabledUrl {
  /** The receiver's word, or a person's. */
  readonly reason: string
  /** Who disabled it: a person, or the receiver by its answer. */
  readonly by: string
  /** Milliseconds. */
  readonly atMs: number
}

export type DisabledUrls = GlobalTable<number>

/** Of an entry only its time stays in memory. */
export function disabledUrls(topic: TableTopic<DisabledUrl>): DisabledUrls {
  return globalTable('webhooks-disabled', topic, { keep: ({ atMs }: DisabledUrl) => atMs })
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
