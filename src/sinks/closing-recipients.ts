import type { SmtpReply } from './smtp-reply.ts'

/** Remembered at most: beyond that the oldest are forgotten. */
const rememberedMax = 1000

/**
 * Recipients to whose RCPT the relay said 421. The session is over with that (RFC 5321 section 3.8), whomever it is about, so only what
 * comes later tells: a recipient that draws it again is the reason, where the relay has taken others since, or others wait behind it.
 * Else one recipient would keep the relay's circuit open, and those beside it would never get their mail.
 */
export class ClosingRecipients {
  /** Times the relay had taken somebody when the recipient drew it. */
  readonly #drawn = new Map<string, number>()
  #taken = 0

  /** The relay has accepted these. */
  taken(recipients: readonly string[]): void {
    this.#taken += 1
    for (const recipient of recipients) this.#drawn.delete(recipient)
  }

  /** Notes what the relay said to this one, alone in its transaction or not. True when it is about the recipient, not about the relay. */
  isTheReason(recipient: string, { closing, enhanced }: SmtpReply, isAlone: boolean): boolean {
    // RFC 3463 section 3: status of the mail system, of the network.
    if (!closing || /^4\.[34]\./.test(enhanced)) return false
    const before = this.#drawn.get(recipient)
    this.#drawn.delete(recipient)
    this.#drawn.set(recipient, this.#taken)
    for (const [oldest] of this.#drawn) {
      if (this.#drawn.size <= rememberedMax) break
      this.#drawn.delete(oldest)
    }
    return before !== undefined && (this.#taken > before || !isAlone)
  }
}
