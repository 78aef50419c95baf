import { seededRandom, type Random } from '../../../src/random.ts'

/** Chances from 0 to 1, drawn once a mail. */
export interface SmtpFaults {
  /** The connection is cut while the body comes. */
  readonly dropBeforeDot: number
  /** The mail is taken, and the connection is cut before the reply. */
  readonly dropAfterDot: number
  /** The mail is not taken, and the connection is cut before the reply. */
  readonly loseAfterDot: number
  /** 451 to the final dot. */
  readonly deferDot: number
  /** 451 to a recipient. */
  readonly deferRecipient: number
  /** Recipients that match are refused with 550; empty for none. */
  readonly refuseRecipients: string
  /** Recipients that match are asked to come more slowly, with 451; empty for none. */
  readonly throttleRecipients: string
  /** Each reply comes this much later, milliseconds. */
  readonly delayMs: number
  /** Recipients that match are answered this much later, milliseconds; empty for none. */
  readonly slowRecipients: string
  readonly slowMs: number
}

const noFaults: SmtpFaults = Object.freeze({
  dropBeforeDot: 0,
  dropAfterDot: 0,
  loseAfterDot: 0,
  deferDot: 0,
  deferRecipient: 0,
  refuseRecipients: '',
  throttleRecipients: '',
  delayMs: 0,
  slowRecipients: '',
  slowMs: 0,
})

export type DotFate = 'accept' | 'accept and drop' | 'drop' | 'defer'

/** Decides by a seeded chance, so that a run can be repeated as far as the order of its mails can. */
export class FaultDice {
  readonly #random: Random
  #faults: SmtpFaults = noFaults
  #refuse: RegExp | null = null
  #throttle: RegExp | null = null
  #slow: RegExp | null = null

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  get delayMs(): number {
    return this.#faults.delayMs
  }

  set(faults: Partial<SmtpFaults>): void {
    this.#faults = { ...noFaults, ...faults }
    const { refuseRecipients, throttleRecipients, slowRecipients } = this.#faults
    this.#refuse = matching(refuseRecipients)
    this.#throttle = matching(throttleRecipients)
    this.#slow = matching(slowRecipients)
  }

  dropsBeforeDot(): boolean {
    return this.#falls(this.#faults.dropBeforeDot)
  }

  recipientReply(recipient: string): string {
    if (this.#refuse?.test(recipient) === true) return '550 5.1.1 no such mailbox\r\n'
    if (this.#throttle?.test(recipient) === true) return '451 4.7.1 rate limited, slow down\r\n'
    if (this.#falls(this.#faults.deferRecipient)) return '451 4.2.1 mailbox busy\r\n'
    return '250 2.1.5 ok\r\n'
  }

  recipientDelayMs(recipient: string): number {
    return this.#slow?.test(recipient) === true ? this.#faults.slowMs : 0
  }

  dotFate(): DotFate {
    if (this.#falls(this.#faults.dropAfterDot)) return 'accept and drop'
    if (this.#falls(this.#faults.loseAfterDot)) return 'drop'
    return this.#falls(this.#faults.deferDot) ? 'defer' : 'accept'
  }

  #falls(chance: number): boolean {
    return chance > 0 && this.#random.next() < chance
  }
}

function matching(pattern: string): RegExp | null {
  return pattern === '' ? null : new RegExp(pattern)
}
