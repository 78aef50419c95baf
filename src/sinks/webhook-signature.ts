import { createHmac } from 'node:crypto'

/**
 * `webhook-signature` of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one signature for each key, so that receivers with
 * the old and with the new key both find theirs while keys rotate. The timestamp counts seconds since the epoch.
 */
export function webhookSignature(
  eventId: string,
  timestampSeconds: number,
  body: string,
  keys: readonly Buffer[],
): string {
  const content = `${eventId}.${timestampSeconds}.${body}`
  return keys
    .map(key => `v1,${createHmac('sha256', key).update(content).digest('base64')}`)
    .join(' ')
}
