import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type { Relay } from '../../src/sinks/relay.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
  TargetReply,
} from '../../src/sinks/sink.ts'

/** What a relay does with a try: takes all of it, is out of reach, closes with 421 at MAIL, wants less at MAIL, greylists, is silent; or the try ends unasked. */
export type RelayMood = 'takes' | 'down' | '421' | 'throttles' | 'greylists' | 'silent' | 'unasked'

/** A relay that is in one mood at a time, and remembers what it was asked for. */
export class FakeRelay implements Sink<MailRequest> {
  readonly concurrencyMax: number
  readonly address: string
  mood: RelayMood = 'takes'
  /** What it says to RCPT beside accepting it. */
  late: Omit<TargetReply, 'target'> | undefined
  /** Its answer to a dot comes after this. */
  dotted: Promise<void> = Promise.resolve()
  /** To the dot. */
  dot: Outcome = { kind: 'done', reply: '250 ok' }
  /** Of every try, in order. */
  readonly asked: SinkAttempt<MailRequest>[] = []
  /** Ends the tries that met its silence. */
  speak: () => void = () => undefined
  readonly #spoken: Promise<void>

  constructor(address: string, concurrencyMax = 2) {
    this.address = address
    this.concurrencyMax = concurrencyMax
    this.#spoken = new Promise(resolve => (this.speak = resolve))
  }

  get identities(): string[] {
    return this.asked.map(({ identity }) => identity)
  }

  async prepare(attempt: SinkAttempt<MailRequest>): Promise<PreparedAttempt | FailedAttempt> {
    this.asked.push(attempt)
    if (this.mood === 'silent') await this.#spoken
    const { address: relay, mood } = this
    if (mood === 'takes' || mood === 'silent') return this.#prepared(attempt)
    const deferred = mood === 'greylists' ? attempt.targets.map(lateFor) : []
    const unavailable = mood === 'down' || mood === '421'
    const reached = mood === '421' || mood === 'greylists' || mood === 'throttles'
    const asksForLess = mood === '421' || mood === 'throttles' ? ('certain' as const) : undefined
    const reply = mood
    return {
      kind: 'failed',
      reached,
      refused: [],
      deferred,
      unavailable,
      reply,
      messageId: '',
      relay,
      ...(asksForLess && { asksForLess }),
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #prepared({ targets }: SinkAttempt<MailRequest>): PreparedAttempt {
    return {
      kind: 'prepared',
      accepted: targets,
      refused: [],
      deferred: this.late ? targets.map(target => ({ target, ...this.late! })) : [],
      messageId: '',
      contentHash: '',
      relay: this.address,
      perform: async mayPerform => {
        if (!mayPerform()) return { kind: 'abandoned', reply: '' }
        await this.dotted
        return this.dot
      },
      abandon: () => undefined,
      lost: new Promise(() => undefined),
    }
  }
}

const lateFor = (target: string) => ({ target, reply: '450 later' })

export function relayOf(sink: FakeRelay, change: Partial<Relay> = {}): Relay {
  const { address } = sink
  return {
    name: address.split(':', 1)[0] ?? '',
    address,
    sink,
    weight: 1,
    perSecond: Infinity,
    formerly: new Set(),
    senderDomains: new Set(),
    tags: new Set(),
    ...change,
  }
}
