const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** Longer ones are no help to anybody. */
const retryAfterMaxMs = 30 * 86_400_000

const unit = String.raw`(?:seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)`
const amount = String.raw`\d{1,7}(?:\.\d{1,3})?\s{0,3}${unit}(?![a-z])`
const span = String.raw`${amount}(?:(?:\s|,|and|\+){0,8}${amount}){0,3}`
const one = String.raw`an?\s+(?:second|minute|hour|day)(?![a-z])`
const clockSpan = String.raw`(?:\d{1,3}:)?\d{1,2}:\d{2}(?![\d:])`
/** A number that has no unit is one of seconds, as in HTTP's Retry-After. */
const bare = String.raw`\d{1,7}(?![\d:.,/-]|\s{0,3}[a-z%])`

const lead = String.raw`(?:again|retry(?:ing)?(?:[- ]after)?|resend|come back|return|wait|gr[ea]y-?list(?:ed|ing)?|delay(?:ed)?|postponed|deferred)`
const between = String.raw`[^\d.;!?]{0,40}?`

/** The most telling one first. What a relay says after "within" is a last time, not a first one. */
const patterns: readonly RegExp[] = [
  new RegExp(String.raw`\b${lead}\b(?!${between}\bwithin\b)${between}\b(${span})`, 'i'),
  new RegExp(String.raw`\b${lead}\b${between}\bin\s+(${clockSpan})`, 'i'),
  new RegExp(String.raw`\b${lead}\b${between}\b(?:in|after)\s+(${one})`, 'i'),
  new RegExp(String.raw`\b(?:again|retry|come back)(?:[- ]after|\s+in)[:=]?\s*(${bare})`, 'i'),
]

/**
 * The relay's own "try again in N", milliseconds up to 30 days; null where it names no time. There is no standard for it: greylisting
 * and rate limits say it in words such as `try again in 300 seconds`, `Greylisted for 5 minutes`, `come back in 00:04:59`.
 */
export function retryAfterMsOf(text: string): number | null {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.[1]
    if (found === undefined) continue
    const milliseconds = found.includes(':') ? clockMs(found) : spanMs(found.toLowerCase())
    if (milliseconds > 0) return Math.min(Math.ceil(milliseconds), retryAfterMaxMs)
  }
  return null
}

/** `[H:]M:S`. */
function clockMs(text: string): number {
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1000
}

function spanMs(text: string): number {
  const single = /^an?\s+([smhd])/.exec(text)?.[1]
  if (single !== undefined) return unitsMs[single] ?? 0
  let sum = 0
  for (const [, count, name = 's'] of text.matchAll(/(\d+(?:\.\d+)?)\s*([smhd])?/g))
    sum += Number(count) * (unitsMs[name] ?? 0)
  return sum
}
