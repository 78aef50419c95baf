import type { Reuse } from './held-send.ts'
import { oneLine, parseReply, type SmtpReply } from './smtp-reply.ts'
import { xtext } from './xtext.ts'

export interface RejectedRecipient {
  readonly recipient: string
  readonly reply: SmtpReply
}

/** The send ended before the body. */
export interface DialogFailure {
  readonly at: 'mail' | 'recipients' | 'data' | 'connection'
  /** The relay's word, null where it said none. */
  readonly reply: SmtpReply | null
  readonly reason: string
  readonly reuse: Reuse
}

export interface DialogEnvelope {
  readonly from: string
  readonly to: readonly string[]
  /** Bytes of the message, as SIZE has it (RFC 1870). */
  readonly size: number
  readonly eightBit: boolean
  /** The header needs SMTPUTF8, whoever stands in the envelope (RFC 6531 section 3.4). */
  readonly smtpUtf8: boolean
  /** Names the mail in reports about it, for a relay that offers DSN (RFC 3461). */
  readonly envelopeId: string | null
}

export interface DialogLink {
  offers(extension: string): boolean
  write(text: string): void
}

/** Nothing else could end a command early. */
const oddAddress = /[\x00-\x1f\x7f<>]/ // oxlint-disable-line no-control-regex
const beyondAscii = /[^\p{ASCII}]/u

/**
 * MAIL, RCPT and DATA, and what the relay says to them. With PIPELINING (RFC 2920) all of it goes out in one write, and the reply to DATA
 * decides; without, one command at a time.
 */
export class EnvelopeDialog {
  readonly accepted: string[] = []
  readonly rejected: RejectedRecipient[] = []
  readonly #link: DialogLink
  readonly #envelope: DialogEnvelope
  readonly #isPipelined: boolean
  /** Replies that have come: the first is to MAIL, the last to DATA. */
  #replies = 0
  #mailReply: SmtpReply | null = null
  /** An empty message was ended: its reply is the last. */
  #ending: DialogFailure | null = null

  constructor(link: DialogLink, envelope: DialogEnvelope) {
    this.#link = link
    this.#envelope = envelope
    this.#isPipelined = link.offers('PIPELINING')
  }

  /** MAIL was refused. What was said to RCPT since is about that, and says nothing about a recipient. */
  get refusal(): DialogFailure | null {
    return this.#mailReply === null ? null : failure('mail', this.#mailReply, 'reset')
  }

  /** Writes the first commands. */
  begin(): DialogFailure | null {
    const { from, to } = this.#envelope
    // The empty sender is that of reports.
    const isOdd = oddAddress.test(from) || to.some(isOddRecipient)
    if (isOdd || to.length === 0)
      return { at: 'connection', reply: null, reason: 'an address is not valid', reuse: 'drop' }
    let commands = this.#mail()
    if (this.#isPipelined) {
      for (let index = 0; index < to.length; index += 1) commands += this.#rcpt(to[index]!)
      commands += 'DATA\r\n'
    }
    this.#link.write(commands)
    return null
  }

  /** One whole reply. `go` when the body may follow. */
  take(raw: string): 'wait' | 'go' | DialogFailure {
    const step = this.#step(raw)
    // Whatever was asked, the relay closes now: replies that are still owed do not come.
    if (!raw.startsWith('421')) return step
    const reply = parseReply(raw)
    if (!reply.closing) return step
    if (step === 'wait')
      return this.#mailReply === null
        ? { at: 'connection', reply, reason: reply.line, reuse: 'drop' }
        : failure('mail', this.#mailReply, 'drop')
    return step === 'go' ? step : { ...step, reuse: 'drop' }
  }

  #step(raw: string): 'wait' | 'go' | DialogFailure {
    if (this.#ending) return this.#ending
    const { to } = this.#envelope
    const index = this.#replies
    this.#replies += 1
    const isPositive = raw.startsWith('2')
    if (index === 0) {
      if (!isPositive) this.#mailReply = parseReply(raw)
      if (this.#isPipelined) return 'wait'
      return this.#mailReply === null ? this.#ask(0) : failure('mail', this.#mailReply, 'reset')
    }
    const recipient = to[index - 1]
    if (recipient === undefined) return this.#data(raw)
    if (isPositive) this.accepted.push(recipient)
    else this.rejected.push({ recipient, reply: parseReply(raw) })
    return this.#isPipelined ? 'wait' : this.#ask(index)
  }

  /** The next command where they go one at a time. */
  #ask(index: number): 'wait' | DialogFailure {
    const recipient = this.#envelope.to[index]
    if (recipient !== undefined) this.#link.write(this.#rcpt(recipient))
    else if (this.accepted.length > 0) this.#link.write('DATA\r\n')
    else return this.#nobody()
    return 'wait'
  }

  #data(raw: string): 'wait' | 'go' | DialogFailure {
    const isGoAhead = raw.startsWith('3')
    if (this.#mailReply !== null) {
      // Who refuses the sender and takes a body all the same is not trusted with an empty one either.
      return failure('mail', this.#mailReply, isGoAhead ? 'drop' : 'reset')
    }
    if (this.accepted.length === 0) {
      if (!isGoAhead) return this.#nobody()
      // RFC 2920 section 3.1: the message that nobody gets is ended, empty.
      this.#ending = this.#nobody()
      this.#link.write('.\r\n')
      return 'wait'
    }
    if (/^354(?=[ -]|$)/.test(raw)) return 'go'
    if (!isGoAhead && !raw.startsWith('2')) return failure('data', parseReply(raw), 'reset')
    // A 250 says that replies are one behind: the one to the dot would be, and those to RCPT were those of others.
    this.rejected.length = 0
    const reason = `DATA was answered by ${oneLine(raw)}`
    return { at: 'data', reply: null, reason, reuse: 'drop' }
  }

  /** Somebody who was put off speaks for all: the last word alone could end the mail for good. */
  #nobody(): DialogFailure {
    const replies = this.rejected.map(each => each.reply)
    const said = replies.find(each => /^[1-4]/.test(each.code)) ?? replies.at(-1)
    return said
      ? failure('recipients', said, 'reset')
      : { at: 'recipients', reply: null, reason: 'no recipients', reuse: 'reset' }
  }

  #mail(): string {
    const { from, to, size, eightBit, smtpUtf8, envelopeId } = this.#envelope
    const link = this.#link
    let line = `MAIL FROM:<${from}>`
    const needsUtf8 = smtpUtf8 || isBeyondAscii(from) || to.some(isBeyondAscii)
    if (needsUtf8 && link.offers('SMTPUTF8')) line += ' SMTPUTF8'
    if (eightBit && link.offers('8BITMIME')) line += ' BODY=8BITMIME'
    if (link.offers('SIZE')) line += ` SIZE=${size}`
    // The headers are enough to recognise the mail; who sent it has its text.
    if (envelopeId && link.offers('DSN')) line += ` RET=HDRS ENVID=${xtext(envelopeId)}`
    return `${line}\r\n`
  }

  #rcpt(recipient: string): string {
    let line = `RCPT TO:<${recipient}>`
    if (this.#envelope.envelopeId && this.#link.offers('DSN')) {
      line += ' NOTIFY=FAILURE'
      // What needs SMTPUTF8 has an encoding of its own (RFC 6533), and the final recipient stands in every report.
      if (!isBeyondAscii(recipient)) line += ` ORCPT=${xtext(`rfc822;${recipient}`)}`
    }
    return `${line}\r\n`
  }
}

function isOddRecipient(address: string): boolean {
  return address === '' || oddAddress.test(address)
}

function isBeyondAscii(address: string): boolean {
  return beyondAscii.test(address)
}

function failure(at: DialogFailure['at'], reply: SmtpReply, reuse: Reuse): DialogFailure {
  return { at, reply, reason: reply.line, reuse: reply.closing ? 'drop' : reuse }
}
