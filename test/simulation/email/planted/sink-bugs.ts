import { recipientsOf } from '../../../../src/email/recipients.ts'
import type { MailRequest } from '../../../../src/sinks/mail-request.ts'
import type { Outcome, PreparedAttempt, Sink, TargetReply } from '../../../../src/sinks/sink.ts'
import type { Alteration } from '../alterations.ts'
import { changed } from './changed.ts'
import type { PlantedBug } from './planted-bug.ts'

const withSink = (change: (sink: Sink<MailRequest>) => Sink<MailRequest>): Alteration => ({
  parts: parts => ({ ...parts, sink: change(parts.sink) }),
})

const withAttempt = (change: (prepared: PreparedAttempt) => PreparedAttempt): Alteration =>
  withSink(sink =>
    changed(sink, {
      prepare: async (attempt, signal) => {
        const prepared = await sink.prepare(attempt, signal)
        return prepared.kind === 'prepared' ? change(prepared) : prepared
      },
    }),
  )

const withOutcome = (change: (outcome: Outcome) => Outcome): Alteration =>
  withAttempt(prepared => ({
    ...prepared,
    perform: async mayPerform => change(await prepared.perform(mayPerform)),
  }))

const withoutTime = ({ target, reply }: TargetReply): TargetReply => ({ target, reply })

let tries = 0

export const sinkBugs: readonly PlantedBug[] = [
  {
    bug: 'the dot is written as soon as the relay waits for it',
    alteration: withAttempt(prepared => {
      const outcome = prepared.perform(() => true)
      return { ...prepared, perform: () => outcome, abandon: () => undefined }
    }),
  },
  {
    bug: 'the dot is written however long its transaction took',
    alteration: withAttempt(prepared => ({
      ...prepared,
      perform: () => prepared.perform(() => true),
    })),
  },
  {
    bug: 'a connection that closes after the dot means that nothing was sent',
    alteration: withOutcome(outcome =>
      outcome.kind === 'unknown' ? { ...outcome, kind: 'abandoned' } : outcome,
    ),
  },
  {
    bug: 'a connection that closes after the dot means that the mail was taken',
    alteration: withOutcome(outcome =>
      outcome.kind === 'unknown' ? { ...outcome, kind: 'done' } : outcome,
    ),
  },
  {
    bug: 'a retry goes to all recipients again',
    alteration: withSink(sink =>
      changed(sink, {
        prepare: (attempt, signal) =>
          sink.prepare({ ...attempt, targets: recipientsOf(attempt.request) }, signal),
      }),
    ),
  },
  {
    bug: 'each part of a mail goes to all its recipients',
    alteration: withSink(sink =>
      changed(sink, {
        prepare: async (attempt, signal) => {
          const { targets } = attempt
          const everybody = { ...attempt, targets: recipientsOf(attempt.request) }
          const result = await sink.prepare(everybody, signal)
          if (result.kind === 'failed') return sink.prepare(attempt, signal)
          const accepted = result.accepted.filter(each => targets.includes(each))
          if (accepted.length > 0) return { ...result, accepted, refused: [], deferred: [] }
          result.abandon()
          return sink.prepare(attempt, signal)
        },
      }),
    ),
  },
  {
    bug: 'what the relay says of the time of a retry is not listened to before the dot',
    alteration: withSink(sink =>
      changed(sink, {
        prepare: async (attempt, signal) => {
          const result = await sink.prepare(attempt, signal)
          return { ...result, deferred: result.deferred.map(withoutTime) }
        },
      }),
    ),
  },
  {
    bug: 'what the relay says of the time of a retry is not listened to after the dot',
    alteration: withOutcome(({ kind, reply }) => ({ kind, reply })),
  },
  {
    bug: 'each try has a Message-ID of its own',
    alteration: withSink(sink =>
      changed(sink, {
        prepare: (attempt, signal) =>
          sink.prepare({ ...attempt, firstSeenMs: attempt.firstSeenMs + (tries += 1) }, signal),
      }),
    ),
  },
  {
    bug: 'a mail in doubt is given to another relay',
    alteration: withSink(sink =>
      changed(sink, {
        prepare: (attempt, signal) =>
          sink.prepare({ ...attempt, onlyRelay: null, lastRelay: null }, signal),
      }),
    ),
  },
  {
    bug: 'a relay is asked to recognise what it has forgotten',
    alteration: withAttempt(prepared =>
      prepared.repeatableForMs === undefined
        ? prepared
        : { ...prepared, repeatableForMs: prepared.repeatableForMs * 1000 },
    ),
  },
  {
    bug: 'every relay passes for one that recognises repetitions',
    alteration: withAttempt(prepared => ({ ...prepared, repeatableForMs: 40_000 })),
  },
]
