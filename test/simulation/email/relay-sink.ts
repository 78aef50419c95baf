import { sleep } from '../../../src/clock.ts'
import {
  failedAttempt,
  refusalOfDot,
  settledByRecipients,
} from '../../../src/sinks/attempt-outcome.ts'
import type { RejectedRecipient } from '../../../src/sinks/envelope-dialog.ts'
import { EnvelopeTargets } from '../../../src/sinks/envelope-targets.ts'
import type { SendFailure } from '../../../src/sinks/held-send.ts'
import type { MailRequest } from '../../../src/sinks/mail-request.ts'
import { messageId } from '../../../src/sinks/message-id.ts'
import { ReplyTable } from '../../../src/sinks/reply-table.ts'
import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  Sink,
  SinkAttempt,
} from '../../../src/sinks/sink.ts'
import { parseReply } from '../../../src/sinks/smtp-reply.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'
import type { DotAnswer, DottedMail, MailRelay } from './mail-relay.ts'
import type { RelaySite } from './relay-sites.ts'

/** RFC 5321 section 4.5.3.2.6. */
const silenceMaxMs = 600_000

export interface RelayWorld {
  readonly relay: MailRelay
  readonly random: { next(): number }
  /** Of the world, which goes on when a process does not. */
  readonly schedule: (delayMs: number, callback: () => void) => void
  /** A dot is being written; `doubtAt` has another one of the same request that nobody knows the answer to. */
  readonly onDot: (process: SimulatedProcess, mail: DottedMail, doubtAt: string | undefined) => void
  readonly note: (path: string) => void
}

/** One process's way to the relay, phase by phase, with the meaning that `SmtpSink` gives to each reply. */
export class RelaySink implements Sink<MailRequest> {
  readonly concurrencyMax = 4
  readonly #world: RelayWorld
  readonly #process: SimulatedProcess
  readonly #site: RelaySite

  constructor(world: RelayWorld, process: SimulatedProcess, site: RelaySite) {
    this.#world = world
    this.#process = process
    this.#site = site
  }

  async prepare(
    attempt: SinkAttempt<MailRequest>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const { relay } = this.#world
    const { targets } = attempt
    const recipients = new EnvelopeTargets(targets)
    const id = messageId(
      attempt.request.source,
      attempt.request.requestId,
      attempt.firstSeenMs,
      attempt.request.from ?? 'mailonce@localhost',
    )
    const fail = (fields: Partial<FailedAttempt>): FailedAttempt => ({
      ...nothingSaid,
      relay: this.#site.address,
      messageId: id,
      ...fields,
    })
    const rejected: RejectedRecipient[] = []
    /** The words of the relay, read as `SmtpSink` reads them. */
    const failAt = (at: SendFailure['at'], line: string | null, answered = true): FailedAttempt => {
      const reply = line === null ? null : parseReply(line)
      const failure = {
        kind: 'failure',
        at,
        reply,
        reason: line ?? 'closed',
        rejected,
        answered,
      } as const
      const { address } = this.#site
      return failedAttempt(failure, { targets, recipients, messageId: id, relay: address, table })
    }

    await this.#reply(signal)
    if (relay.draw('greets-never')) await sleep(this.#process.clock, relay.longMs(30_000), signal)
    else if (!signal.aborted && !relay.draw('unreachable')) await this.#reply(signal)
    else return fail({ reply: 'nobody there', unavailable: !signal.aborted })
    if (signal.aborted) return fail({ reply: 'stopped before the final dot' })

    if (relay.draw('mail-drop')) return failAt('connection', null, false)
    if (relay.draw('mail-421')) return failAt('mail', '421 closing')
    if (relay.draw('mail-4yz')) return failAt('mail', '451 later')
    if (relay.draw('mail-5yz')) return failAt('mail', '550 no')

    const accepted: string[] = []
    for (const recipient of targets) {
      if (relay.draw('rcpt-drop')) return failAt('connection', null)
      const line = this.#answerTo(recipient, accepted.length)
      if (line === null) accepted.push(recipient)
      else rejected.push({ recipient, reply: parseReply(line) })
    }
    await this.#reply(signal)
    if (relay.draw('slow-before-dot')) await sleep(this.#process.clock, relay.longMs(8000), signal)
    if (signal.aborted) return fail({ reply: 'stopped before the final dot' })
    if (accepted.length === 0) return failAt('recipients', null)
    if (relay.draw('data-drop')) return failAt('connection', null)
    if (relay.draw('data-4yz')) return failAt('data', '451 later')
    if (relay.draw('data-5yz')) return failAt('data', '554 no')
    const { refused, deferred, tooMany } = settledByRecipients(
      rejected,
      recipients,
      table,
      accepted.length,
    )
    if (tooMany) this.#world.note('split')
    return this.#held(attempt.identity, id, { accepted, refused, deferred })
  }

  /** Null for one that is accepted. */
  #answerTo(recipient: string, acceptedCount: number): string | null {
    const { relay } = this.#world
    if (recipient.startsWith('gone')) return '550 nobody'
    if (relay.draw('rcpt-4yz')) return '450 greylisted'
    if (relay.draw('rcpt-rate-550')) return relay.slowDown('550')
    if (acceptedCount > 0 && relay.draw('rcpt-too-many')) return '452 4.5.3 too many recipients'
    return null
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
    const { repeatableForMs } = this.#site
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
      relay: this.#site.address,
      ...(repeatableForMs > 0 ? { repeatableForMs } : {}),
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
        return this.#dot({
          identity,
          messageId: id,
          recipients: lists.accepted,
          site: this.#site,
        })
      },
    }
  }

  /** The dot leaves at once; half of what a dead process had written never left its machine. */
  #dot(mail: DottedMail): Promise<Outcome> {
    const { relay, random, schedule, onDot, note } = this.#world
    const at = { messageId: mail.messageId, address: mail.site.address }
    onDot(this.#process, mail, relay.memory.dotted(at))
    return new Promise(resolve => {
      const giveUp = this.#process.clock.schedule(silenceMaxMs, () => {
        note('ten minutes of silence')
        resolve(inDoubt)
      })
      const hear = (answer: DotAnswer): void =>
        schedule(relay.latencyMs(), () =>
          this.#process.deliver(() => {
            giveUp()
            if (answer !== null) relay.memory.answered(at)
            resolve(outcomeOf(answer))
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

const table = new ReplyTable()
const inDoubt: Outcome = { kind: 'unknown', reply: 'closed' }

function outcomeOf(answer: DotAnswer): Outcome {
  if (answer === null) return inDoubt
  const reply = parseReply(answer)
  return reply.kind === 'done' ? { kind: 'done', reply: reply.line } : refusalOfDot(reply, table)
}

const nothingSaid: FailedAttempt = {
  kind: 'failed',
  reached: false,
  refused: [],
  deferred: [],
  unavailable: false,
  reply: '',
  messageId: '',
  relay: '',
}
