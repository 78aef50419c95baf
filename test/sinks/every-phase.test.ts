import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import type { FailedAttempt, PreparedAttempt } from '../../src/sinks/sink.ts'
import { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'
import {
  halfReplyAndHangUp,
  hangUp,
  reply,
  replyAndHangUp,
  silence,
  type SmtpScript,
  type SmtpStep,
} from '../support/smtp/smtp-script.ts'
import { attemptOf, noSignal, sinkOf } from './mail-fixture.ts'

const steps = {
  '2yz': reply('250 2.0.0 ok'),
  '3yz': reply('354 go on'),
  '4yz': reply('451 4.3.0 not now'),
  '5yz': reply('550 5.7.1 no'),
  '421': replyAndHangUp('421 4.3.2 bye'),
  garbage: reply('hello there'),
  'half a line': halfReplyAndHangUp('550 5.7.1 n'),
  drop: hangUp,
  silence,
} as const satisfies Readonly<Record<string, SmtpStep>>

type Step = keyof typeof steps

/**
 * What a try means that ends so. `-`: nothing was sent, nobody is settled, it is tried again. `away`: the same, and the relay as a whole is out
 * of reach. `unsent`: it was held and is not sent. Only after the dot can a mail be `unknown`.
 */
const table = `
            2yz     3yz      4yz       5yz      421       garbage  half a line  drop     silence
  greeting  away    away     away      away     away      away     away         away     away
  ehlo      done    away     away      away     away      away     away         away     away
  starttls  away    away     away      away     away      away     away         away     away
  mail      done    -        deferred  refused  away      -        -            away     away
  rcpt      done    -        deferred  refused  away      -        -            -        -
  data      -       done     deferred  refused  away      -        -            -        -
  body      -       -        deferred  refused  away      -        -            -        -
  held      unsent  unsent   unsent    unsent   unsent    unsent   unsent       unsent   unsent
  dot       done    unknown  deferred  refused  deferred  unknown  unknown      unknown  unknown
`
const [columns = [], ...rows] = table
  .trim()
  .split('\n')
  .map(line => line.trim().split(/ {2,}/))

/** Larger than what the kernel takes, so that the relay speaks while the body is still under way. */
const largeText = 'x'.repeat(70).concat('\n').repeat(120_000)

const cases = rows.flatMap(([phase = '', ...meanings]) =>
  meanings.map((meaning, index) => ({ phase, step: columns[index] as Step, meaning })),
)

/** The script with this step at this phase. */
function scriptOf(phase: string, step: SmtpStep, offered: readonly string[]): SmtpScript {
  const at = phase === 'held' ? {} : { [phase]: step }
  // Nothing is sent ahead of a silence, so that all before it has been answered when the clock goes on.
  const ehlo = step === silence ? offered : ['PIPELINING', ...offered]
  return { ehlo, ...at, stopsReading: phase === 'body' }
}

/** The relay is where the step is done. */
function hasReached(relay: ScriptedSmtpServer, phase: string): boolean {
  const [session] = relay.sessions
  if (phase === 'greeting') return relay.openConnections > 0
  if (phase === 'body') return (session?.wireBody ?? '') !== ''
  if (phase === 'dot') return relay.commands.includes('.')
  return relay.commands.some(line => line.toLowerCase().startsWith(phase))
}

/** What the sink makes of it, in the words of the table. */
async function meaningOf(phase: string, step: Step, relay: ScriptedSmtpServer): Promise<string> {
  const clock = new ManualClock()
  await using sink = sinkOf(relay, { clock })
  const over = new AbortController()
  // To STARTTLS any 2yz is a go-ahead, and then no TLS comes.
  if ((step === 'silence' && phase !== 'held') || (step === '2yz' && phase === 'starttls'))
    void relay.until(each => hasReached(each, phase)).then(() => letTimePass(clock, over.signal))
  const text = phase === 'body' ? largeText : 'Hello\n'

  const attempt = await sink.prepare(attemptOf({ text }), noSignal)
  if (attempt.kind === 'prepared' && phase === 'held') {
    relay.sessions[0]?.do(steps[step])
    clock.advance(step === 'silence' ? 5000 : 0)
    await attempt.lost
  }
  const kind = attempt.kind === 'failed' ? failureOf(attempt) : await performed(attempt)
  over.abort()
  return kind
}

async function letTimePass(clock: ManualClock, signal: AbortSignal): Promise<void> {
  for (; !signal.aborted; await nextTurn()) clock.advance(30_000)
}

function failureOf({ refused, deferred, unavailable }: FailedAttempt): string {
  if (refused.length > 0) return 'refused'
  if (deferred.length > 0) return 'deferred'
  return unavailable ? 'away' : '-'
}

async function performed(attempt: PreparedAttempt): Promise<string> {
  const { kind } = await attempt.perform(() => true)
  return kind === 'abandoned' ? 'unsent' : kind
}

describe.each([
  { how: 'in clear text', offered: [], phases: cases.filter(each => each.phase !== 'starttls') },
  {
    how: 'over STARTTLS',
    offered: ['STARTTLS'],
    // Where the step is in place of the answer to EHLO, no STARTTLS is offered.
    phases: cases.filter(each => each.phase !== 'ehlo' && each.phase !== 'body'),
  },
])('$how', ({ offered, phases }) => {
  test.each(phases)('$step at $phase means: $meaning', async ({ phase, step, meaning }) => {
    await using relay = await ScriptedSmtpServer.start(scriptOf(phase, steps[step], offered))

    expect(await meaningOf(phase, step, relay)).toBe(meaning)

    // One that reads no more does not notice.
    if (phase !== 'body') await relay.until(({ openConnections }) => openConnections === 0)
    const dots = relay.commands.filter(command => command === '.').length
    expect(dots).toBe(meaning === 'done' || phase === 'dot' ? 1 : 0)
  })
})
