import PostalMime, { type Attachment } from 'postal-mime'
import { describeError, StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import { type DeliveryStatus, parseDeliveryStatus } from './delivery-status.ts'

/** Bounds for what strangers send; a real report has three parts side by side. */
const parseOptions = Object.freeze({
  maxNestingDepth: 8,
  maxHeadersSize: 256 * 1024,
  maxRfc822NestingDepth: 0,
})

/** A report, and the Message-ID of the mail that it returns, null where it returns none. */
export interface BounceReport extends DeliveryStatus {
  readonly messageId: string | null
}

/**
 * A delivery status notification (RFC 3464) as it came: the bytes of a whole message. To take a message apart takes a moment, so
 * it happens in `prepare`; what was found is kept with the bytes and gone with them.
 */
export function bounceReportSerde(): Serde<BounceReport> {
  const parsed = new WeakMap<Buffer, BounceReport | StreamsError>()
  return Object.freeze({
    isReady: (bytes: Buffer) => parsed.has(bytes),
    prepare: async (bytes: Buffer) => {
      parsed.set(bytes, await parse(bytes))
    },
    deserialize: (bytes: Buffer) => {
      const found = parsed.get(bytes)
      if (found === undefined) throw new StreamsError('INTERNAL', 'a report that was not prepared')
      if (found instanceof StreamsError) throw found
      return found
    },
    serialize: () => {
      throw new StreamsError('INTERNAL', 'reports are read, not written')
    },
  })
}

const returnedTypes: ReadonlySet<string> = new Set([
  'text/rfc822-headers',
  'message/rfc822',
  'message/global-headers',
  'message/global',
])

async function parse(bytes: Buffer): Promise<BounceReport | StreamsError> {
  try {
    const { attachments } = await PostalMime.parse(bytes, parseOptions)
    const part = attachments.find(({ mimeType }) => mimeType === 'message/delivery-status')
    if (part === undefined) return undecodable('it is no delivery status notification (RFC 3464)')
    const status = parseDeliveryStatus(textOf(part))
    if (status.recipients.length === 0) return undecodable('its report names no recipient')
    const returned = attachments.find(({ mimeType }) => returnedTypes.has(mimeType))
    return { ...status, messageId: returned ? messageIdIn(textOf(returned)) : null }
  } catch (error) {
    return undecodable(`it is no message: ${describeError(error)}`)
  }
}

/** Of the first header of that name: what stands below the headers is the mail's own text. */
function messageIdIn(message: string): string | null {
  const [headers = ''] = message.split(/\r?\n\r?\n/, 1)
  return /^message-id:\s*(<[^<>\s]{1,500}>)/im.exec(headers)?.[1] ?? null
}

function textOf({ content }: Attachment): string {
  return typeof content === 'string' ? content : Buffer.from(content as ArrayBuffer).toString()
}

function undecodable(message: string): StreamsError {
  return new StreamsError('RECORD_UNDECODABLE', message)
}
