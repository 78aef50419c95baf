import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from '../../src/sinks/sink.ts'
import type { WebhookSinkOptions } from '../../src/sinks/webhook-options.ts'
import type { WebhookRequest } from '../../src/sinks/webhook-request.ts'
import { WebhookSink } from '../../src/sinks/webhook-sink.ts'

export const key = Buffer.from('a key for tests, and for nothing else')

/** May go to this machine, and without TLS. */
export function sinkTo(options: Partial<WebhookSinkOptions> = {}): WebhookSink {
  return new WebhookSink({
    keys: [key],
    allowPrivate: ['127.0.0.0/8'],
    allowHttp: true,
    ...options,
  })
}

export function attemptAt(
  url: string,
  body = '{"type":"email.sent"}',
): SinkAttempt<WebhookRequest> {
  return {
    request: { eventId: 'event-1', url, body },
    targets: ['target'],
    identity: 'event-1',
    firstSeenMs: 0,
    lastRelay: null,
    onlyRelay: null,
  }
}

export async function prepared(
  sink: Sink<WebhookRequest>,
  attempt: SinkAttempt<WebhookRequest>,
): Promise<PreparedAttempt> {
  const result = await sink.prepare(attempt, new AbortController().signal)
  if (result.kind === 'prepared') return result
  throw new Error(`not prepared: ${result.reply}`)
}

export async function failed(
  sink: Sink<WebhookRequest>,
  attempt: SinkAttempt<WebhookRequest>,
): Promise<FailedAttempt> {
  const result = await sink.prepare(attempt, new AbortController().signal)
  if (result.kind === 'failed') return result
  throw new Error('prepared, not failed')
}
