import type {
  DeadLetterReason,
  EffectDefinition,
  EffectEnd,
  EffectOutput,
  EffectPlan,
  EffectRecord,
} from '../effects/effect.ts'
import type { FindTable } from '../global-table.ts'
import type { Sink, TargetReply } from '../sinks/sink.ts'
import type { WebhookRequest } from '../sinks/webhook-request.ts'
import { goneReply } from '../sinks/webhook-sink.ts'
import { webhookEndpoint } from '../sinks/webhook-url.ts'
import type { DisabledUrl, DisabledUrls } from './disabled-urls.ts'
import { traceHeaders } from './trace-headers.ts'
import { webhookRequestSerde } from './webhook-event.ts'
import { webhookTraffic } from './webhook-traffic.ts'

export interface WebhookOptions {
  readonly sink: Sink<WebhookRequest>
  /** Delays before each retry, milliseconds: n delays are n retries. */
  readonly retryDelaysMs: readonly number[]
  /** At one host at once, of all instances together. @default 10 */
  readonly hostConnections?: number
}

/** Late evidence about a webhook can change nothing; a day is for those who look. */
const rememberMs = 24 * 3_600_000

/**
 * Webhooks as an effect. Receivers drop repeats by the event's id, so what is in doubt is sent again; what cannot be delivered becomes a
 * dead letter.
 */
export function webhookEffect(
  options: WebhookOptions,
  disabled: DisabledUrls,
): EffectDefinition<WebhookRequest> {
  const { sink, retryDelaysMs, hostConnections = 10 } = options
  return Object.freeze({
    sink,
    request: webhookRequestSerde,
    plan: planOf,
    output: disablingOf,
    // Before every try, because those that wait for one are meant as well.
    refusals: ({ url }: WebhookRequest, targets: readonly string[], table: FindTable) => {
      const since = table(disabled).get(url)
      return since === undefined ? [] : refusedSince(since.atMs, targets)
    },
    deadLetter: deadLetterOf,
    traffic: webhookTraffic(hostConnections),
    retryDelaysMs,
    rememberMs,
  })
}

function planOf({ eventId, url }: WebhookRequest, record: EffectRecord): EffectPlan {
  const endpoint = webhookEndpoint(url, true)
  return {
    identity: eventId,
    targets: [typeof endpoint === 'string' ? 'nowhere' : endpoint.authority],
    // A dead letter that is replayed is written anew: it is another request of that name.
    firstSeenMs: record.timestampMs,
    notBeforeMs: null,
    expiresAtMs: null,
    inDoubt: 'resend',
    priority: 0,
  }
}

function refusedSince(sinceMs: number, targets: readonly string[]): readonly TargetReply[] {
  const reply = `disabled since ${new Date(sinceMs).toISOString()}: see mailonce webhooks list`
  return targets.map(target => ({ target, reply }))
}

/** The receiver has said that it wants no more at this URL. */
function disablingOf({
  kind,
  reply,
  request,
  targets,
  headers,
  atMs,
}: EffectEnd<WebhookRequest>): EffectOutput | null {
  if (kind !== 'refused' || reply !== goneReply) return null
  const value: DisabledUrl = { reason: reply, by: targets[0]?.target ?? '', atMs }
  return {
    to: 'disabled',
    key: Buffer.from(request.url),
    value,
    headers: traceHeaders(headers, () => request.eventId),
    timestampMs: atMs,
  }
}

/** The receiver's name and its last word; a URL may hold secrets of its own. */
function deadLetterOf({
  kind,
  targets,
  attempts,
  detail,
}: EffectEnd<WebhookRequest>): DeadLetterReason | null {
  if (kind === 'done') return null
  const where = targets[0]?.target ?? ''
  if (kind === 'refused') return { code: 'WEBHOOK_REFUSED', message: `${where}: ${detail}` }
  const message = `${where}: given up after ${attempts} tries: ${detail}`
  return { code: 'WEBHOOK_UNDELIVERED', message }
}
