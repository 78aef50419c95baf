import { sleep } from '../../../src/clock.ts'
import type { MailRequest } from '../../../src/sinks/mail-request.ts'
import { messageId } from '../../../src/sinks/message-id.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
  TargetReply,
} from '../../../src/sinks/sink.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'
import type { DotAnswer, DottedMail, MailRelay } from './mail-relay.ts'

/** RFC 5321 section 4.5.3.2.6. */
const silenceMaxMs = 600_000

export interface RelayWorld {
  readonly relay: MailRelay
  readonly random: { next(): number }
  /** Of the world, which goes on when a process does not. */
  readonly schedule: (delayMs: number, callback: () => void) => void
  /** A dot is being written. */
  readonly onDot: (process: SimulatedProcess, mail: DottedMail) => void
  readonly note: (path: string) => void
}

/** One process's way to the relay, phase by phase, with the meaning that `SmtpSink` gives to each reply. */
export class RelaySink implements Sink<MailRequest> {
  readonly concurrencyMax = 4
  readonly #world: RelayWorld
  readonly #process: SimulatedProcess

  constructor(world: RelayWorld, process: SimulatedProcess) {
    this.#world = world
    this.#process = process
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { relay } = this.#world
    const { targets } = attempt
    const id = messageId(
      attempt.request.source,
      attempt.request.requestId,
      attempt.firstSeenMs,
      attempt.request.from ?? 'mailonce@localhost',
    )
    const fail = (fields: Partial<FailedAttempt>): FailedAttempt => ({
      ...nothingSaid,
      messageId: id,
      ...fields,
    })

    await this.#reply(signal)
    if (relay.draw('greets-never')) await sleep(this.#process.clock, relay.longMs(30_000), signal)
    else if (!signal.aborted && !relay.draw('unreachable')) await this.#reply(signal)
    else return fail({ reply: 'nobody there', unavailable: !signal.aborted })
    if (signal.aborted) return fail({ reply: 'stopped before the final dot' })

    if (relay.draw('mail-drop')) return fail({ reply: 'closed', unavailable: true })
    if (relay.draw('mail-421'))
      return fail({ reply: '421 closing', reached: true, unavailable: true })
    if (relay.draw('mail-4yz'))
      return fail({ reply: '451 later', reached: true, deferred: all(targets, '451 later') })
    if (relay.draw('mail-5yz'))
      return fail({ reply: '550 no', reached: true, refused: all(targets, '550 no') })

    const refused: TargetReply[] = []
    const deferred: TargetReply[] = []
    const accepted: string[] = []
    for (const target of targets) {
      if (relay.draw('rcpt-drop'))
        return fail({ reply: 'closed', reached: true, refused, deferred })
      if (target.startsWith('gone')) refused.push({ target, reply: '550 nobody' })
      else if (relay.draw('rcpt-4yz')) deferred.push({ target, reply: '450 greylisted' })
      else accepted.push(target)
    }
    await this.#reply(signal)
    if (relay.draw('slow-before-dot')) await sleep(this.#process.clock, relay.longMs(8000), signal)
    if (signal.aborted) return fail({ reply: 'stopped before the final dot' })
    if (accepted.length === 0)
      return fail({ reply: 'no recipient', reached: true, refused, deferred })
    if (relay.draw('data-drop')) return fail({ reply: 'closed', reached: true, refused, deferred })
    if (relay.draw('data-4yz')) {
      const later = [...deferred, ...all(accepted, '451 later')]
      return fail({ reply: '451 later', reached: true, refused, deferred: later })
    }
    if (relay.draw('data-5yz')) {
      const never = [...refused, ...all(accepted, '554 no')]
      return fail({ reply: '554 no', reached: true, refused: never, deferred })
    }
    return this.#held(attempt.identity, id, { accepted, refused, deferred })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #held(
    identity: string,
    id: string,
    lists: Pick<PreparedAttempt, 'accepted' | 'refused' | 'deferred'>,
  ): PreparedAttempt {
    const { relay } = this.#world
    let phase: 'held' | 'dotted' | 'over' = 'held'
    const lost = Promise.withResolvers<string>()
    if (relay.draw('held-drop'))
      this.#process.clock.schedule(relay.longMs(50), () => {
        if (phase !== 'held') return
        phase = 'over'
        lost.resolve('the relay closed the connection')
      })
    return {
      kind: 'prepared',
      ...lists,
      messageId: id,
      contentHash: '',
      relay: 'relay:25',
      lost: lost.promise,
      abandon: () => void (phase = phase === 'dotted' ? phase : 'over'),
      perform: mayPerform => {
        const lostBefore = phase !== 'held'
        if (lostBefore || !mayPerform()) {
          phase = 'over'
          this.#world.note(lostBefore ? 'lost before the dot' : 'deadline missed')
          return Promise.resolve({ kind: 'abandoned', reply: 'not sent' })
        }
        phase = 'dotted'
        return this.#dot({ identity, messageId: id, recipients: lists.accepted })
      },
    }
  }

  /** The dot leaves at once; half of what a dead process had written never left its machine. */
  #dot(mail: DottedMail): Promise<Outcome> {
    const { relay, random, schedule, onDot, note } = this.#world
    onDot(this.#process, mail)
    return new Promise(resolve => {
      const giveUp = this.#process.clock.schedule(silenceMaxMs, () => {
        note('ten minutes of silence')
        resolve(outcomes.closed)
      })
      const hear = (answer: DotAnswer): void =>
        schedule(relay.latencyMs(), () =>
          this.#process.deliver(() => {
            giveUp()
            resolve(outcomes[answer])
          }),
        )
      schedule(relay.latencyMs(), () => {
        if (!this.#process.alive && random.next() < 0.5) return
        relay.receive(mail, hear)
      })
    })
  }

  #reply(signal: AbortSignal): Promise<void> {
    return sleep(this.#process.clock, this.#world.relay.latencyMs(), signal)
  }
}

const outcomes: Readonly<Record<DotAnswer, Outcome>> = {
  '250 ok': { kind: 'done', reply: '250 ok' },
  '451 later': { kind: 'deferred', reply: '451 later' },
  '554 no': { kind: 'refused', reply: '554 no' },
  closed: { kind: 'unknown', reply: 'closed' },
}

const nothingSaid: FailedAttempt = {
  kind: 'failed',
  reached: false,
  refused: [],
  deferred: [],
  unavailable: false,
  reply: '',
  messageId: '',
  relay: 'relay:25',
}

function all(targets: readonly string[], reply: string): TargetReply[] {
  return targets.map(target => ({ target, reply }))
}
