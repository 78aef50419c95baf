import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { WebhookRequest } from '../sinks/webhook-request.ts'
import type { EmailCallback } from './records.ts'

/** The payload of Standard Webhooks: type, time and data; the data is the callback record as `email.callback` has it. */
export function webhookOf(callback: EmailCallback, url: string): WebhookRequest {
  const { eventId, outcome, occurredAt } = callback
  const payload = {
    type: `email.${outcome.toLowerCase()}`,
    timestamp: new Date(occurredAt).toISOString(),
    data: callback,
  }
  return { eventId, url, body: JSON.stringify(payload) }
}

/** JSON, so that a person can read what became a dead letter. */
export const webhookRequestSerde: Serde<WebhookRequest> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (request: WebhookRequest) => Buffer.from(JSON.stringify(request)),
  deserialize: (bytes: Buffer): WebhookRequest => {
    const { eventId, url, body } = parsed(bytes)
    if (typeof eventId === 'string' && typeof url === 'string' && typeof body === 'string')
      return { eventId, url, body }
    throw new StreamsError('RECORD_UNDECODABLE', 'a webhook without eventId, url or body')
  },
})

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(bytes.toString('utf8')) ?? {}) as Readonly<Record<string, unknown>>
  } catch (cause) {
    throw new StreamsError('RECORD_UNDECODABLE', 'not a webhook', { cause })
  }
}
