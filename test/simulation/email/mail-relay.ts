import type { Random } from '../../../src/random.ts'
import type { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { Story } from '../../../src/testing/story.ts'
import type { Reached } from './reached.ts'
import { type RelaySite, SiteMemory } from './relay-sites.ts'

/** What a relay can do wrong, by the phase in which it does it. */
export const troubles = [
  'unreachable',
  'greets-never',
  'mail-4yz',
  'mail-5yz',
  'mail-421',
  'mail-drop',
  'rcpt-4yz',
  'rcpt-rate-550',
  'rcpt-too-many',
  'rcpt-drop',
  'data-4yz',
  'data-5yz',
  'data-drop',
  'slow-before-dot',
  'held-drop',
  'dot-4yz',
  'dot-5yz',
  'dot-421',
  'dot-rate-554',
  'dot-drop-before-taking',
  'dot-drop-after-taking',
  'dot-silence-before-taking',
  'dot-silence-after-taking',
  'dot-late-250',
] as const

export type Trouble = (typeof troubles)[number]

/** Shares of all tries that get to the phase, 0 to 1. */
export type TroubleRates = Readonly<Partial<Record<Trouble, number>>>

/** One mail with its final dot. */
export interface DottedMail {
  readonly identity: string
  readonly messageId: string
  readonly recipients: readonly string[]
  readonly site: RelaySite
}

/** The relay's word on the dot; null: the connection ended without one. */
export type DotAnswer = string | null

/** What stands on the other side for all machines, under one address or two: it says what it likes and counts what it has taken. */
export class MailRelay {
  /** Times each recipient got a mail, by `identity address` and by `message-id address`. */
  readonly taken = new Map<string, number>()
  /** Message-IDs seen with each request. */
  readonly messageIds = new Map<string, Set<string>>()
  readonly memory: SiteMemory
  rates: TroubleRates = {}
  /** Replies that name a time: until when nobody is to ask again, wall clock of the world, milliseconds. */
  readonly told = new Map<string, number>()
  readonly #clock: ManualClock
  readonly #random: Random
  readonly #reached: Reached
  readonly #story: Story
  readonly #silent = new Set<() => void>()

  constructor(clock: ManualClock, random: Random, reached: Reached, story: Story) {
    this.#story = story
    this.#clock = clock
    this.memory = new SiteMemory(clock)
    this.#random = random
    this.#reached = reached
  }

  draw(trouble: Trouble): boolean {
    const share = this.rates[trouble] ?? 0
    if (share === 0 || this.#random.next() >= share) return false
    this.#reached.note(trouble)
    this.#story.tell('relay', trouble)
    return true
  }

  /** Milliseconds of one reply. */
  latencyMs(): number {
    return this.#random.next() * 5
  }

  /** Between half and all of it, milliseconds. */
  longMs(max: number): number {
    return max * (0.5 + 0.5 * this.#random.next())
  }

  /** A rate limit, in the words of a relay that means "later" and says "never"; every one is another. */
  slowDown(code: string): string {
    const seconds = 1 + Math.floor(this.#random.next() * 3)
    const line = `${code} 5.7.1 rate limited (${this.told.size}), try again in ${seconds} seconds`
    this.told.set(line, this.#clock.nowMs() + seconds * 1000)
    return line
  }

  timesTaken(identity: string, address: string): number {
    return this.taken.get(`${identity} ${address}`) ?? 0
  }

  /** The dot has arrived. `answer` is called once, or never by a relay that is silent until its client gives up. */
  receive(mail: DottedMail, answer: (answer: DotAnswer) => void): void {
    this.#seen(mail)
    if (this.draw('dot-4yz')) return answer('451 later')
    if (this.draw('dot-5yz')) return answer('554 no')
    if (this.draw('dot-421')) return answer('421 closing')
    if (this.draw('dot-rate-554')) return answer(this.slowDown('554'))
    if (this.draw('dot-drop-before-taking')) return answer(null)
    if (this.draw('dot-silence-before-taking')) return this.#fallSilent(answer)
    if (this.#recognises(mail)) this.#reached.note('repetition recognised')
    else this.#take(mail)
    if (this.draw('dot-drop-after-taking')) return answer(null)
    if (this.draw('dot-silence-after-taking')) return this.#fallSilent(answer)
    const lateMs = this.draw('dot-late-250') ? this.longMs(20_000) : 0
    this.#clock.schedule(lateMs, () => answer('250 ok'))
  }

  /** From now on it does what it should; what is silent is closed within seconds. */
  heal(): void {
    this.rates = {}
    for (const close of this.#silent) this.#clock.schedule(this.longMs(5000), close)
    this.#silent.clear()
  }

  #recognises({ site, identity, recipients }: DottedMail): boolean {
    return this.memory.recognises(site, keyOf(identity, recipients))
  }

  #take(mail: DottedMail): void {
    this.#story.tell('relay', `takes the mail of ${mail.identity.replace('\0', ' ')}`)
    for (const recipient of mail.recipients)
      for (const key of [`${mail.identity} ${recipient}`, `${mail.messageId} ${recipient}`])
        this.taken.set(key, (this.taken.get(key) ?? 0) + 1)
    this.memory.took(mail.site, keyOf(mail.identity, mail.recipients))
  }

  #fallSilent(answer: (answer: DotAnswer) => void): void {
    const close = (): void => answer(null)
    const kind = this.#random.next()
    if (kind < 0.5) this.#clock.schedule(this.longMs(60_000), close)
    else this.#silent.add(close)
  }

  #seen({ identity, messageId }: DottedMail): void {
    const known = this.messageIds.get(identity) ?? new Set<string>()
    this.messageIds.set(identity, known.add(messageId))
  }
}

function keyOf(identity: string, recipients: readonly string[]): string {
  return [identity, ...recipients.toSorted()].join(' ')
}
