/* One process of the scenario `timers`: `node --expose-gc timers-worker.ts WAITING MAILS`, its figures as a line of JSON. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

import { systemClock } from '../../src/clock.ts'
import type { EffectDefinition } from '../../src/effects/effect.ts'
import { EffectEngine } from '../../src/effects/engine.ts'
import { momentOf } from '../../src/effects/flights.ts'
import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { mailTraffic } from '../../src/email/mail-traffic.ts'
import { silentLogger } from '../../src/log.ts'
import { systemRandom } from '../../src/random.ts'
import { utf8Serde } from '../../src/serde.ts'
import type { PreparedAttempt, Sink, SinkAttempt } from '../../src/sinks/sink.ts'
import { RecordingJournal } from '../effects/recording-journal.ts'
import { WaitingOutbox } from './waiting-outbox.ts'

const [waiting, mails] = process.argv.slice(2).map(Number) as [number, number]
const perCycle = 200

/** Takes everything at once. */
const sink: Sink<string> = {
  concurrencyMax: perCycle,
  prepare: (attempt: SinkAttempt<string>): Promise<PreparedAttempt> =>
    Promise.resolve({
      kind: 'prepared',
      accepted: attempt.targets,
      refused: [],
      deferred: [],
      messageId: 'm',
      contentHash: 'h',
      relay: 'relay:25',
      perform: () => Promise.resolve({ kind: 'done', reply: '250 ok' }),
      abandon: () => undefined,
      lost: new Promise(() => undefined),
    }),
  close: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

const definition: EffectDefinition<string> = {
  sink,
  request: utf8Serde,
  traffic: mailTraffic(),
  plan: (request, { timestampMs }) => ({
    identity: request,
    targets: [`user@domain${request.length}.example`],
    firstSeenMs: timestampMs,
    notBeforeMs: null,
    expiresAtMs: null,
    inDoubt: 'hold',
    priority: 1,
  }),
  output: () => null,
  retryDelaysMs: [],
  rememberMs: 0,
}

const journal = new RecordingJournal()
const engineOver = (count: number): EffectEngine<string> =>
  new EffectEngine<string>({
    definition,
    store: new WaitingOutbox(count),
    slots: new SinkSlots(perCycle, systemClock, systemRandom, { traffic: definition.traffic }),
    table: () => {
      throw new Error('there is no table')
    },
    journal,
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    incarnation: 'bench',
    address: { topic: 'commands', partition: 0 },
    wake: () => undefined,
    onLateFact: () => undefined,
    deadLetter: () => undefined,
    count: () => undefined,
  })

// Once without looking, so that what a process needs to run at all is not counted.
await engineOver(100_000).recover()
const engine = engineOver(waiting)
const before = memory()
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const beginRecover = process.cpuUsage()
await engine.recover()
const recoverCpu = process.cpuUsage(beginRecover)
delay.disable()
const after = memory()

engine.resume()
await send(mails / 4)
const beginCpu = process.cpuUsage()
await send(mails)
const { user, system } = process.cpuUsage(beginCpu)
const megabytes = (bytes: number) => Math.round(bytes / 1e5) / 10
process.stdout.write(
  `${JSON.stringify({
    heapMegabytes: megabytes(after.used - before.used),
    rssMegabytes: megabytes(after.rss - before.rss),
    recoverCpuSeconds: Math.round((recoverCpu.user + recoverCpu.system) / 1e5) / 10,
    recoverLongestBlockMs: Math.round(delay.max / 1e6),
    cpuMicrosPerMail: Math.round(((user + system) / mails) * 10) / 10,
  })}\n`,
)
process.exit(0)

/** Heap and what lies beside it, after a collection. */
function memory(): { used: number; rss: number } {
  const collect = (globalThis as { gc?: () => void }).gc
  collect?.()
  collect?.()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { used: heapUsed + arrayBuffers, rss }
}

/** Requests all the way to their ends, as a worker would drive them. */
async function send(count: number): Promise<void> {
  const settle = () => new Promise(resolve => setImmediate(resolve))
  for (let sent = 0; sent < count; sent += perCycle) {
    for (let each = 0; each < perCycle; each += 1) {
      const request = `bench\u0000${systemRandom.uuid()}`
      const payload = Buffer.from(request)
      engine.accept(
        {
          request,
          timestampMs: 1,
          key: payload,
          headers: [],
          origin: { topic: 't', partition: 0, offset: 0 },
          payload,
        },
        () => undefined,
      )
    }
    // Tries begin; their attempts are written; transaction 1; replies are written; transaction 2.
    for (let turns = 0; turns < 3; turns += 1) {
      engine.turn(() => undefined)
      engine.freeze(momentOf(systemClock))
      engine.committed()
      engine.perform()
      await settle()
    }
    journal.lines.length = 0
  }
}
