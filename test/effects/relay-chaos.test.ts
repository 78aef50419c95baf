import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { EffectDefinition } from '../../src/effects/effect.ts'
import { EffectEngine } from '../../src/effects/engine.ts'
import { momentOf } from '../../src/effects/flights.ts'
import { outboxStore } from '../../src/effects/outbox.ts'
import { SinkSlots } from '../../src/effects/sink-slots.ts'
import { noLimits } from '../../src/effects/traffic.ts'
import { mailTraffic } from '../../src/email/mail-traffic.ts'
import { silentLogger } from '../../src/log.ts'
import { type Random, seededRandom } from '../../src/random.ts'
import { outboxOf } from '../../src/runtime/task-store.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type { Relay } from '../../src/sinks/relay.ts'
import { RelayRouter } from '../../src/sinks/relay-router.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { mailRequest } from '../sinks/mail-fixture.ts'
import { MoodyRelay } from './moody-relay.ts'
import { RecordingJournal } from './recording-journal.ts'

const chaosTurns = 400
/** An hour. */
const calmTurns = 7200

class Task {
  readonly engine: EffectEngine<MailRequest>
  readonly #clock: ManualClock
  readonly #backend = new MemoryStoreBackend()
  readonly #overlaid: OverlaidStore<unknown>
  #offset = 0

  constructor(definition: EffectDefinition<MailRequest>, slots: SinkSlots, clock: ManualClock) {
    const store = outboxStore('outbox', definition.rememberMs)
    const backend = this.#backend
    const overlaid = new OverlaidStore<unknown>(store, backend)
    this.#clock = clock
    this.#overlaid = overlaid
    this.engine = new EffectEngine<MailRequest>({
      definition,
      store: outboxOf(() => ({ definition: store, backend, overlaid })),
      slots,
      table: () => {
        throw new Error('there is no table')
      },
      journal: new RecordingJournal(),
      clock,
      random: seededRandom(1),
      log: silentLogger,
      incarnation: 'life',
      address: { topic: 'commands', partition: 0 },
      wake: () => undefined,
      onLateFact: () => undefined,
      deadLetter: () => undefined,
      count: () => undefined,
    })
  }

  async accept(request: MailRequest): Promise<void> {
    const key = Buffer.from(request.requestId)
    const origin = { topic: 'input', partition: 0, offset: 0 }
    await this.#overlaid.load(this.engine.keysOf(request, { timestampMs: 0, headers: [] }))
    const payload = Buffer.from(JSON.stringify(request))
    this.engine.accept(
      { request, timestampMs: 0, key, headers: [], payload, origin },
      () => undefined,
    )
  }

  async turn(): Promise<void> {
    this.engine.turn(() => undefined)
    const writes = this.#overlaid.freeze()
    this.engine.freeze(momentOf(this.#clock))
    this.engine.committed()
    await this.#backend.apply(writes, { topicId: 'id', offset: (this.#offset += 1) })
    this.engine.perform()
    this.#overlaid.retire()
  }

  async fail(): Promise<void> {
    this.#overlaid.drop()
    this.engine.failed()
    await this.engine.recover()
    this.engine.resume()
  }
}

function someTraffic(upTo: (max: number) => number) {
  const limits = { ...noLimits, sink: { perSecond: 20 * upTo(5) } }
  const destination = { connections: upTo(4), perSecond: upTo(20) }
  const source = { connections: upTo(5) }
  return mailTraffic({
    ...limits,
    ...(upTo(2) === 1 && { destination }),
    ...(upTo(2) === 1 && { source }),
  })
}

/** Two tasks behind relays that fail, hang and ask for less, until these are calm. Returns how many requests are left an hour later. */
async function leftAfter(random: Random): Promise<number> {
  const upTo = (max: number): number => 1 + Math.floor(random.next() * max)
  const clock = new ManualClock()
  const relays = Array.from({ length: upTo(3) }, (_, index) => {
    const sink = new MoodyRelay(`relay-${index}:25`, upTo(4), clock, random)
    const perSecond = [Infinity, 1, 10, 100][upTo(4) - 1]!
    const relay: Relay = {
      name: `relay-${index}`,
      address: sink.address,
      sink,
      weight: upTo(3),
      perSecond,
      formerly: new Set(),
      senderDomains: new Set(),
      tags: new Set(),
    }
    return { sink, relay }
  })
  const sink = new RelayRouter({
    relays: relays.map(each => each.relay),
    from: 'default@example.org',
    clock,
    random,
    log: silentLogger,
  })
  const traffic = someTraffic(upTo)
  const slots = new SinkSlots(sink.concurrencyMax, clock, random, { traffic, rooms: sink.rooms })
  const definition: EffectDefinition<MailRequest> = {
    sink,
    traffic,
    request: {
      isReady: () => true,
      prepare: () => Promise.resolve(),
      serialize: request => Buffer.from(JSON.stringify(request)),
      deserialize: bytes => JSON.parse(bytes.toString()) as MailRequest,
    },
    plan: ({ source, requestId, to }) => ({
      identity: `${source}\0${requestId}`,
      targets: to,
      firstSeenMs: 0,
      notBeforeMs: null,
      expiresAtMs: null,
      inDoubt: 'hold',
      priority: requestId.length % 3,
    }),
    output: () => null,
    retryDelaysMs: Array.from({ length: 100 }, () => 2000),
    rememberMs: 1e9,
  }
  const tasks = [new Task(definition, slots, clock), new Task(definition, slots, clock)]
  for (const { engine } of tasks) engine.resume()
  const left = (): number => tasks.reduce((sum, { engine }) => sum + engine.counts().open, 0)
  const turn = async (ms: number): Promise<void> => {
    for (const task of tasks) await task.turn()
    clock.advance(ms)
    await setImmediate()
  }

  for (let turns = 0; turns < chaosTurns; turns += 1) {
    for (let more = random.next() < 0.2 ? upTo(8) : 0; more > 0; more -= 1) {
      const requestId = `r-${turns}-${more}`
      const to = [`ann@d${upTo(5)}.example`]
      await tasks[upTo(2) - 1]!.accept(mailRequest({ source: `s${upTo(4)}`, requestId, to }))
    }
    if (random.next() < 0.01) for (const task of tasks) await task.fail()
    if (random.next() < 0.02) {
      const share = 1 / upTo(4)
      slots.setShare(share)
      sink.setShare(share)
    }
    await turn(100)
  }
  for (const each of relays) each.sink.isCalm = true
  for (let turns = 0; turns < calmTurns && left() > 0; turns += 1) await turn(500)
  slots.close()
  await sink.close()
  return left()
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'seed %i: whatever the relays did, every request ends when they are calm',
  async seed => {
    expect(await leftAfter(seededRandom(seed))).toBe(0)
  },
)
