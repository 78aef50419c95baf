import type { Delivery } from '../../src/effects/delivery.ts'
import type { EffectDeadLetter, EffectDefinition, EffectPlan } from '../../src/effects/effect.ts'
import { EffectEngine } from '../../src/effects/engine.ts'
import { type Fact, momentOf } from '../../src/effects/flights.ts'
import { type EffectCommand, endedKey, openKey, outboxStore } from '../../src/effects/outbox.ts'
import { SinkSlots, type SinkSlotsOptions } from '../../src/effects/sink-slots.ts'
import type { Traffic } from '../../src/effects/traffic.ts'
import { type LogFields, silentLogger } from '../../src/log.ts'
import { seededRandom } from '../../src/random.ts'
import { outboxOf } from '../../src/runtime/task-store.ts'
import { type Serde, utf8Serde } from '../../src/serde.ts'
import type { OutcomeKind } from '../../src/sinks/sink.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { planOf } from './delivery-fixture.ts'
import { FakeSink } from './fake-sink.ts'
import { RecordingJournal } from './recording-journal.ts'

const rememberMs = 3_600_000

/** A request is its plan, as text. */
function definitionOf(
  sink: FakeSink,
  requestSerde: Serde<string>,
  details: string[],
  refused: ReadonlySet<string>,
): EffectDefinition<string> {
  return {
    sink,
    request: requestSerde,
    plan: (request, { timestampMs }) => ({
      ...planOf({ targets: ['a'] }),
      ...(JSON.parse(request) as Partial<EffectPlan>),
      firstSeenMs: timestampMs,
    }),
    output: end => {
      details.push(end.detail)
      if (end.identity.startsWith('untold')) return null
      return {
        to: 'ends',
        key: end.key,
        value: `${end.identity} ${end.kind}${end.revised ? ' revised' : ''}`,
        headers: [],
        timestampMs: end.atMs,
      }
    },
    deadLetter: ({ kind, reply }) =>
      kind === 'refused' ? { code: 'REFUSED', message: reply } : null,
    samePlace: (one, other) => String(one[0]?.value) === String(other[0]?.value),
    repeated: (request, record, open) => [
      {
        to: 'repeats',
        key: Buffer.from('repeat'),
        value: `${request} repeats ${open}`,
        headers: [],
        timestampMs: record.timestampMs,
      },
    ],
    refusals: (_request, targets) =>
      targets.filter(each => refused.has(each)).map(target => ({ target, reply: '550 never' })),
    retryDelaysMs: [10_000, 100_000],
    retryJitter: 0,
    rememberMs,
  }
}

/** A disk that answers no question while it is broken. */
class BreakableBackend extends MemoryStoreBackend {
  isBroken = false

  override getMany(keys: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.isBroken ? Promise.reject(new Error('disk gone')) : super.getMany(keys)
  }
}

/** What outlives an engine: the disk, the relay, the clock. */
export class EngineWorld {
  readonly clock = new ManualClock()
  readonly backend = new BreakableBackend()
  readonly sink: FakeSink
  readonly journal = new RecordingJournal()
  readonly slots: SinkSlots
  readonly overlaid: OverlaidStore<unknown>
  /** What was forwarded in cycles that committed. */
  readonly committed: string[] = []
  readonly lateFacts: Fact[] = []
  /** In the order in which they were written, whatever became of the cycle. */
  readonly deadLetters: EffectDeadLetter[] = []
  /** Targets that the application refuses before a try. */
  readonly refused = new Set<string>()
  /** Of every end that was forwarded. */
  readonly details: string[] = []
  /** Lines of level info. */
  readonly logged: { readonly fields: LogFields; readonly message: string | undefined }[] = []
  readonly #requestSerde: Serde<string>
  readonly #traffic: Traffic | undefined
  engine: EffectEngine<string>
  /** Times another turn was asked for. */
  woken = 0
  #lives = 0
  #inputs = 0
  #offset = 0
  #emitted: string[] = []
  #committing: string[] = []

  constructor(requestSerde: Serde<string>, concurrencyMax: number, shared: SinkSlotsOptions = {}) {
    this.#requestSerde = requestSerde
    this.#traffic = shared.traffic
    this.sink = new FakeSink(concurrencyMax)
    this.slots = new SinkSlots(concurrencyMax, this.clock, seededRandom(1), shared)
    const definition = outboxStore('outbox', rememberMs)
    this.overlaid = new OverlaidStore(definition, this.backend)
    this.engine = this.#newEngine()
  }

  /** @param concurrencyMax Tries at once. */
  static async begin(
    requestSerde = utf8Serde,
    concurrencyMax = 2,
    shared: SinkSlotsOptions = {},
  ): Promise<EngineWorld> {
    const world = new EngineWorld(requestSerde, concurrencyMax, shared)
    await world.restart()
    return world
  }

  /** The process dies, or the task leaves: another engine finds what was committed. */
  async restart(): Promise<void> {
    this.overlaid.drop()
    this.#emitted = []
    this.#committing = []
    this.engine = this.#newEngine()
    await this.engine.recover()
    this.engine.resume()
  }

  readonly emit = (output: { readonly value: unknown }): void => {
    this.#emitted.push(String(output.value))
  }

  /**
   * @param spaces Bytes that its payload has besides.
   * @param place Where it stood first.
   */
  async accept(
    plan: Partial<EffectPlan> & { readonly identity: string },
    spaces = 0,
    place?: string,
  ): Promise<void> {
    await this.#load(plan.identity)
    const payload = Buffer.from(JSON.stringify(plan) + ' '.repeat(spaces))
    const key = Buffer.from(plan.identity)
    const timestampMs = plan.firstSeenMs ?? 0
    const request = payload.toString()
    const origin = { topic: 'input', partition: 3, offset: (this.#inputs += 1) }
    const headers = place === undefined ? [] : [{ key: 'place', value: Buffer.from(place) }]
    this.engine.accept({ request, timestampMs, key, headers, payload, origin }, this.emit)
  }

  async evidence(identity: string, token: string, outcome: OutcomeKind): Promise<void> {
    const reply = `told ${outcome}`
    await this.command({ kind: 'evidence', identity, token, outcome, reply, atMs: 0 })
  }

  async command(command: EffectCommand): Promise<void> {
    await this.#load(command.identity)
    await this.engine.prepareCommands([command])
    this.engine.command(command, this.emit)
  }

  async turn(): Promise<boolean> {
    await settle()
    const isUrgent = this.engine.turn(this.emit)
    await settle()
    return isUrgent
  }

  /** Transaction begins: the cycle is closed. */
  freeze(): void {
    this.#committing = this.#emitted
    this.#emitted = []
    const writes = this.overlaid.freeze()
    this.engine.freeze(momentOf(this.clock))
    this.#offset += 1
    this.#apply = () => this.backend.apply(writes, { topicId: 'id', offset: this.#offset })
  }

  /** Transaction ends, and what follows it. */
  async finish(): Promise<void> {
    const { perform, settled } = this.engine.committed()
    if (settled.length > 0) this.journal.settled(settled)
    await this.#apply()
    if (perform.length > 0) await this.journal.dots(perform)
    this.engine.perform()
    this.overlaid.retire()
    this.committed.push(...this.#committing)
    this.#committing = []
    await settle()
  }

  async commit(): Promise<void> {
    this.freeze()
    await this.finish()
  }

  /** The cycle fails; `committed` says what the broker made of the one under way. */
  async fail(committed = false): Promise<void> {
    if (committed) {
      await this.#apply()
      this.committed.push(...this.#committing)
    }
    this.overlaid.drop()
    this.#emitted = []
    this.#committing = []
    this.engine.failed()
    await this.engine.recover()
    this.engine.resume()
  }

  /** A request all the way to its dot. */
  async dot(plan: Partial<EffectPlan> & { readonly identity: string }): Promise<void> {
    await this.accept(plan)
    await this.turn()
    this.sink.of(plan.identity).hold()
    await this.turn()
    await this.commit()
  }

  /** What is on the disk about the request. */
  async stored(identity: string): Promise<Delivery | undefined> {
    const found = await this.backend.getMany([openKey(identity), endedKey(identity)])
    const bytes = found.find(each => each !== undefined)
    return bytes && (this.overlaid.definition.value.deserialize(bytes) as Delivery)
  }

  async tokenOf(identity: string): Promise<string> {
    const delivery = await this.stored(identity)
    return delivery?.state.kind === 'attempting' ? delivery.state.token : ''
  }

  #apply: () => Promise<void> = () => Promise.resolve()

  async #load(identity: string): Promise<void> {
    await this.overlaid.load([openKey(identity), endedKey(identity)])
  }

  #newEngine(): EffectEngine<string> {
    const { definition } = this.overlaid
    return new EffectEngine<string>({
      definition: {
        ...definitionOf(this.sink, this.#requestSerde, this.details, this.refused),
        ...(this.#traffic ? { traffic: this.#traffic } : {}),
      },
      store: outboxOf(() => ({ definition, backend: this.backend, overlaid: this.overlaid })),
      slots: this.slots,
      table: () => {
        throw new Error('there is no table')
      },
      journal: this.journal,
      clock: this.clock,
      random: seededRandom(1),
      log: {
        ...silentLogger,
        info: (fields, message) => this.logged.push({ fields, message }),
      },
      incarnation: `life-${(this.#lives += 1)}`,
      address: { topic: 'commands', partition: 3 },
      wake: () => void (this.woken += 1),
      onLateFact: fact => this.lateFacts.push(fact),
      deadLetter: letter => this.deadLetters.push(letter),
      count: () => undefined,
    })
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
