import { StreamsError } from '../errors.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { PrefetchKey, Processor, StreamRecord } from '../topology/topology.ts'
import type { BounceRecord } from './bounce-processor.ts'
import type { MailOwner, MessageIdRecord } from './message-id-store.ts'

export type ByMessageId = StreamRecord<string, MessageIdRecord>

/** Remembers whose mail each Message-ID is, and leads reports that have nothing else to the request. */
export function messageIdProcessor(
  store: StoreDefinition<MailOwner>,
): Processor<ByMessageId, BounceRecord> {
  return {
    process: ({ key, value, timestampMs, headers }, context) => {
      const owners = context.store(store)
      if (value.kind === 'mail') return owners.put(key, value)
      const owner = owners.get(key)
      if (owner === undefined)
        throw new StreamsError('RECORD_UNDECODABLE', `the Message-ID ${key} is none of ours`)
      const { source, requestId } = owner
      for (const { recipient, status, diagnostic } of value.failed)
        context.forward({
          key: requestId,
          value: {
            source,
            requestId,
            recipient,
            status,
            diagnostic,
            reported: value.reported,
            // Every recipient has seen the Message-ID: anybody of them can have written the report.
            signed: false,
          },
          timestampMs,
          headers,
        })
    },
  }
}

export function messageIdPrefetch(
  store: StoreDefinition<MailOwner>,
): (record: StreamRecord) => readonly PrefetchKey[] {
  return record => {
    const { key, value } = record as ByMessageId
    return value.kind === 'report' ? [{ store, key }] : []
  }
}
