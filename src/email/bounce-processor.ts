import { StreamsError } from '../errors.ts'
import type { Processor, StreamRecord } from '../topology/topology.ts'
import type { Bounce } from './bounce.ts'
import type { BounceReport } from './bounce-report.ts'
import type { EnvelopeIds } from './envelope-ids.ts'
import type { RequestName } from './identity.ts'
import type { ByMessageId } from './message-id-processor.ts'
import { traceHeaders } from './trace-headers.ts'

export type ReportRecord = StreamRecord<Buffer | null, BounceReport>
export type BounceRecord = StreamRecord<string, Bounce>

/** The sinks below the bounce stage. */
export const bounceChildren = Object.freeze({ bounces: 'bounces', nameless: 'by-message-id' })

export interface BounceOptions {
  /** Of the mails that were sent. */
  readonly envelopeIds: EnvelopeIds
  /** Whether a report without an envelope id of ours is recognised by the Message-ID of the mail. */
  readonly byMessageId: boolean
}

/**
 * Finds the request that a report is about, by its envelope id: anybody can write to the address to which reports go, and only
 * who was given the id of a mail can have one. Every recipient whose delivery failed goes on.
 */
export function bounceProcessor(
  options: BounceOptions | undefined,
): Processor<ReportRecord, BounceRecord | ByMessageId> {
  return {
    process: (record, context) => {
      const { origin } = context
      if (origin === undefined) throw new StreamsError('INTERNAL', 'a report without a place')
      const { value, timestampMs } = record
      const { partition, offset } = origin
      const found = placeOf(value, options)
      const reported = { partition, offset, timestampMs }
      const seed = (): string => [origin.topic, partition, offset].join('\0')
      const headers = traceHeaders(record.headers, seed)
      const failed = value.recipients.filter(({ action }) => action === 'failed')
      if (failed.length === 0) context.count('bounces_ignored')
      else if (typeof found === 'string')
        context.forward(
          { key: found, value: { kind: 'report', failed, reported }, timestampMs, headers },
          bounceChildren.nameless,
        )
      else
        for (const { recipient, status, diagnostic } of failed)
          context.forward(
            {
              key: found.requestId,
              value: { ...found, recipient, status, diagnostic, reported, signed: true },
              timestampMs,
              headers,
            },
            bounceChildren.bounces,
          )
    },
  }
}

/** The name of the request, or the Message-ID by which to look for it. */
function placeOf(
  { envelopeId, messageId }: BounceReport,
  options: BounceOptions | undefined,
): RequestName | string {
  if (options === undefined)
    throw undecodable('bounces.key is not configured: no mail has an envelope id')
  const name = envelopeId === null ? undefined : options.envelopeIds.read(envelopeId)
  if (name !== undefined) return name
  if (options.byMessageId && messageId !== null) return messageId
  throw undecodable(
    envelopeId === null
      ? 'its report has no Original-Envelope-Id'
      : 'its envelope id is none of ours',
  )
}

function undecodable(message: string): StreamsError {
  return new StreamsError('RECORD_UNDECODABLE', message)
}
