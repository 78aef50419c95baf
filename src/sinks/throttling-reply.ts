/** RFC 3463 and its registry: X.7.28 is "mail flood detected". */
const flood =
  /\b[45]\.7\.28\b|rate.?limit|throttl|too (?:many|much|fast)|slow down|exceed\w* .*(?:rate|limit)|unusual (?:rate|volume)|temporarily deferred/i
/** Greylisting asks for the same mail later, not for fewer; X.2.x and X.5.3 are about one mailbox or one mail, X.3.2 about maintenance. */
const aboutElse =
  /gr[ea]y.?list|\b[45]\.(?:2\.\d|5\.3|3\.2)\b|mailbox|quota|too many (?:recipients|hops)/i

/**
 * Whether a relay asks by this reply for fewer messages: `certain` where it says so or closes with 421, `likely` for another 451, which
 * may as well be about this one mail. The reply is the one line a sink reports.
 */
export function throttlingOf(reply: string): 'certain' | 'likely' | null {
  if (!/^[45]\d\d\b/.test(reply) || aboutElse.test(reply)) return null
  if (reply.startsWith('421') || flood.test(reply)) return 'certain'
  return reply.startsWith('451') ? 'likely' : null
}
