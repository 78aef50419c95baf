/** A receiver may ask for patience, not for oblivion: no more than this, milliseconds. */
const delayMaxMs = 24 * 3_600_000
/** IMF-fixdate, the one form that is still sent (RFC 9110 section 5.6.7). */
const httpDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** How long a Retry-After asks to wait (RFC 9110 section 10.2.3), milliseconds; null where it says nothing that can be read. */
export function retryAfterMs(value: string | undefined, nowMs: number): number | null {
  const text = value?.trim() ?? ''
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1000, delayMaxMs)
  const atMs = httpDate.test(text) ? Date.parse(text) : NaN
  return Number.isNaN(atMs) ? null : Math.min(Math.max(0, atMs - nowMs), delayMaxMs)
}
