import { notesOf } from '../sinks/sink.ts'
import { concerns, decisionText, type Delivery, newDelivery } from './delivery.ts'
import { type DeliveryEvent, intentOf } from './delivery-event.ts'
import { isIdle } from './delivery-machine.ts'
import { Doubts } from './doubts.ts'
import type { EffectPlan, EffectRecord } from './effect.ts'
import type { EffectInput, Emit, EngineOptions } from './engine-options.ts'
import type { FailedFlight, Flight, Moment } from './flight.ts'
import { type Fact, Flights } from './flights.ts'
import { leftoversOf } from './leftovers.ts'
import { OpenRequests } from './open-requests.ts'
import { endedKey, type EffectCommand, openKey, openPrefix } from './outbox.ts'
import { OutboxWriter } from './outbox-writer.ts'
import { isSameRequest } from './same-request.ts'
import { overdueEvent, Tries } from './tries.ts'

const scanPage = 1000

/**
 * The two-transaction protocol for one task. The worker drives it: records and commands come in while a batch is
 * processed; `turn` writes what has happened since into the active cycle; `sealed`, `committed` and `failed` follow
 * that cycle. Whatever is in memory only can be thrown away at any moment and read again from the store (`recover`);
 * what cannot are performed attempts and their facts, which survive as long as the process does.
 */
export class EffectEngine<Request> {
  readonly #options: EngineOptions<Request>
  readonly #open: OpenRequests
  readonly #flights: Flights<Request>
  readonly #writer: OutboxWriter<Request>
  /** Read, not yet written into a cycle. */
  #facts: Fact[] = []
  /** Written into the active and into the committing cycle: read again if it fails. */
  #applied: { active: Fact[]; committing: Fact[] } = { active: [], committing: [] }
  #sealed: { active: Flight[]; committing: Flight[] } = { active: [], committing: [] }
  readonly #doubts: Doubts
  readonly #tries: Tries<Request>
  readonly #forgetSlots: () => void
  #sequence = 0
  #epoch = 0
  #resting = true
  #closed = false

  constructor(options: EngineOptions<Request>) {
    const { definition, slots, clock, wake } = options
    this.#options = options
    this.#open = new OpenRequests(definition.traffic, slots.outbox)
    this.#forgetSlots = slots.onRoom(holder => this.#open.noteRoom(holder))
    this.#writer = new OutboxWriter(options, this.#open, identity => this.#doubts.delete(identity))
    this.#flights = new Flights({
      sink: definition.sink,
      slots,
      traffic: definition.traffic,
      clock,
      wake,
      onFact: fact => this.#onFact(fact),
    })
    this.#doubts = new Doubts(clock)
    this.#tries = new Tries(options, this.#open, this.#flights, this.#writer)
  }

  /** Takes no more records; what the open ones wait for (timers, replies) goes on. */
  get isFull(): boolean {
    return this.#options.slots.outbox.isFull
  }

  /** In the order of the store's keys a record needs. */
  keysOf(request: Request, record: EffectRecord): readonly string[] {
    return keysOfIdentity(this.#options.definition.plan(request, record).identity)
  }

  counts(): {
    readonly open: number
    readonly inDoubt: number
    readonly waiting: number
    readonly flying: number
  } {
    return {
      open: this.#open.size,
      inDoubt: this.#doubts.size,
      waiting: this.#open.count('timer'),
      flying: this.#flights.size,
    }
  }

  // ------------------------------------------------------------ life

  /** Reads the open requests of the store. Overlays must be empty: at the start, and after a failed cycle. */
  async recover(): Promise<void> {
    const { store, definition } = this.#options
    const epoch = (this.#epoch += 1)
    this.#open.clear()
    this.#tries.forget()
    this.#doubts.clear()
    for (let after = openPrefix; ;) {
      const page = await store.scanCommitted(openPrefix, after, scanPage)
      const leftovers = await leftoversOf(this.#options, page)
      if (epoch !== this.#epoch) return
      for (const [key, delivery] of page) {
        after = key
        if (leftovers.has(key)) store.delete(key)
        if (leftovers.has(key)) continue
        if (!definition.request.isReady(delivery.payload))
          await definition.request.prepare(delivery.payload)
        this.#open.place(delivery)
        if (delivery.state.kind !== 'attempting') continue
        const { identity } = delivery.plan
        const { token } = delivery.state
        const flight = this.#flights.performing(token)
        if (flight) {
          this.#open.setStage(identity, 'flying')
          this.#open.setFlight(identity, flight)
        } else {
          this.#doubts.add(identity, token)
        }
      }
      if (page.length === 0) return
    }
  }

  /** Tries begin. */
  resume(): void {
    this.#resting = false
  }

  /** No new tries; what has not been sealed is undone. At rest when nothing but performed attempts is under way. */
  rest(): void {
    this.#resting = true
    this.#tries.rest()
  }

  /** Performed attempts whose reply is still awaited. */
  get performingCount(): number {
    return this.#flights.onlyPerforming ? this.#flights.size : Infinity
  }

  /** Something is about to come to its gate, or back from it. */
  get isMoving(): boolean {
    return this.#flights.isMoving
  }

  /** True while something waits to be written into a cycle. */
  get hasUnwritten(): boolean {
    return this.#facts.length > 0
  }

  /** The task leaves. Facts not yet committed, and those that still come, are handed to `onLateFact`. */
  close(): void {
    if (this.#closed) return
    this.#epoch += 1
    this.#tries.forget()
    this.#closed = true
    this.#forgetSlots()
    this.#open.clear()
    this.#flights.close()
    const facts = [...this.#applied.committing, ...this.#applied.active, ...this.#facts]
    this.#facts = []
    this.#applied = { active: [], committing: [] }
    this.#sealed = { active: [], committing: [] }
    for (const fact of facts) this.#options.onLateFact(fact)
  }

  // ------------------------------------------------------------ input

  /** An input record. Reads before it changes anything: a missing key takes the whole record back. */
  accept(input: EffectInput<Request>, emit: Emit): void {
    const { definition, store, clock } = this.#options
    const plan = definition.plan(input.request, input)
    const open = store.get(openKey(plan.identity))
    if (open !== undefined) {
      this.#answerRepeat(input, plan, open, emit)
      return
    }
    // Replays never come this far (`reread: 'skip'`): first seen at another time, it is another request of that name.
    const { key, headers, payload } = input
    const ended = store.get(endedKey(plan.identity))
    if (ended && isSameRequest(definition, ended, { plan, headers })) return
    this.#writer.write(
      newDelivery(plan, definition.deadLetter ? input : { key, headers, payload }),
      { kind: 'accepted', nowMs: clock.nowMs() },
      emit,
      input.request,
    )
  }

  /** A second request of an identity that is still open is not carried out, however long ago the first one came. */
  #answerRepeat(input: EffectInput<Request>, plan: EffectPlan, open: Delivery, emit: Emit): void {
    const { definition } = this.#options
    const { request, repeated } = definition
    if (isSameRequest(definition, open, { plan, headers: input.headers })) return
    const answers = repeated?.(input.request, input, request.deserialize(open.payload)) ?? []
    for (const answer of answers) emit(answer)
  }

  /** Evidence or a decision from outside the task. Reads before it changes anything, like `accept`. */
  command(command: EffectCommand, emit: Emit): void {
    const delivery = this.#known(command.identity)
    if (command.kind === 'evidence') {
      const { token } = command
      if (delivery && !this.#flights.performing(token) && concerns(delivery, token))
        this.#undoAndWrite(delivery, this.#eventOf(command), emit)
      return
    }
    const { decision, identity } = command
    const isHonoured = delivery && this.#undoAndWrite(delivery, this.#eventOf(command), emit)
    const fields = { event: 'decision', identity, ...decision, honoured: isHonoured === true }
    const text = isHonoured
      ? decisionText(decision)
      : `${decisionText(decision)}, which changes nothing: it is ${delivery ? stateText(delivery) : 'not known'}`
    this.#options.log.info(fields, text)
  }

  /** What the commands need to be carried out without waiting, their keys being loaded: an ended request may have a schema that nobody has asked for since the start. */
  async prepareCommands(commands: readonly EffectCommand[]): Promise<void> {
    const { request } = this.#options.definition
    for (const { identity } of commands) {
      const payload = this.#known(identity)?.payload ?? Buffer.alloc(0)
      if (payload.length > 0 && !request.isReady(payload)) await request.prepare(payload)
    }
  }

  #known(identity: string): Delivery | undefined {
    const { store } = this.#options
    return store.get(openKey(identity)) ?? store.get(endedKey(identity))
  }

  #eventOf(command: EffectCommand): DeliveryEvent {
    const nowMs = this.#options.clock.nowMs()
    if (command.kind === 'cancel') return { ...command, kind: 'cancelled', nowMs }
    if (command.kind === 'resolve') return { ...command, kind: 'resolved', nowMs }
    const { token, outcome, reply, atMs } = command
    const chance = this.#options.random.next()
    return {
      kind: 'outcome',
      token,
      outcome: { kind: outcome, reply, ...notesOf(command) },
      nowMs: atMs || nowMs,
      chance,
    }
  }

  /** A try under way of an idle request is undone first: the event may say that it is not needed. */
  #undoAndWrite(delivery: Delivery, event: DeliveryEvent, emit: Emit): boolean {
    const { identity } = delivery.plan
    const flight = isIdle(delivery) ? this.#open.flight(identity) : undefined
    if (flight) this.#tries.undo(flight)
    const hasChanged = this.#writer.write(delivery, event, emit)
    // Where nothing was written it is still where the try had put it.
    if (flight && this.#open.stage(identity) === 'flying') this.#open.makeReady(identity)
    return hasChanged
  }

  keysOfCommand(command: EffectCommand): readonly string[] {
    return keysOfIdentity(command.identity)
  }

  // ------------------------------------------------------------ the cycle

  /** Writes what has happened into the active cycle and begins new tries. True when something waits for the commit. */
  turn(emit: Emit): boolean {
    const facts = this.#facts
    if (facts.length > 0) this.#facts = []
    for (const fact of facts) this.#applyFact(fact, emit)
    for (const failed of this.#flights.takeFailed()) this.#applyFailure(failed, emit)
    this.#decideDoubts()
    if (!this.#resting) {
      for (const flight of this.#flights.atGate()) this.#seal(flight, emit)
      this.#tries.start(emit)
    }
    return this.#sealed.active.length > 0 || this.#applied.active.length > 0
  }

  /** The active cycle is about to commit: `moment` was read before its transaction began. */
  freeze(moment: Moment): void {
    this.#sealed = { active: [], committing: this.#sealed.active }
    this.#applied = { active: [], committing: this.#applied.active }
    for (const flight of this.#sealed.committing) flight.startedAt = moment
    const { address, journal } = this.#options
    if (this.#sealed.committing.length > 0)
      journal.attempts(
        this.#sealed.committing.map(({ token, identity }) => ({ ...address, token, identity })),
      )
  }

  /** Transaction 1 of the sealed attempts, and transaction 2 of the applied facts, have committed. */
  committed(): { readonly perform: readonly string[]; readonly settled: readonly string[] } {
    const settled = this.#applied.committing.map(each => each.token)
    this.#applied.committing = []
    return { perform: this.#sealed.committing.map(each => each.token), settled }
  }

  /** Their dots are journaled and flushed. */
  perform(): void {
    const flights = this.#sealed.committing.filter(each => each.stage === 'sealed')
    this.#sealed.committing = []
    this.#flights.perform(flights)
  }

  /** Both cycles are dropped. `recover` follows, once it is known what has been committed. */
  failed(): void {
    this.#epoch += 1
    this.#tries.forget()
    this.#flights.abandonUnsealed()
    this.#flights.abandonSealed()
    this.#flights.takeFailed()
    this.#sealed = { active: [], committing: [] }
    this.#facts = [...this.#applied.committing, ...this.#applied.active, ...this.#facts]
    this.#applied = { active: [], committing: [] }
    this.#open.clear()
    this.#doubts.clear()
  }

  /** Milliseconds until a timer is due; Infinity when none is. */
  nextDelayMs(): number {
    const { clock } = this.#options
    return Math.max(0, Math.min(this.#open.nextTimerMs - clock.nowMs(), this.#doubts.nextDelayMs()))
  }

  // ------------------------------------------------------------ steps

  #onFact(fact: Fact): void {
    const { journal, count, onLateFact } = this.#options
    const { token, outcome, atMs } = fact
    count('outcome', outcome.kind)
    if (outcome.kind !== 'unknown')
      journal.reply(token, outcome.kind, outcome.reply, atMs, notesOf(outcome))
    if (this.#closed) onLateFact(fact)
    else this.#facts.push(fact)
  }

  /** A fact of an attempt that this request does not wait for says nothing: its transaction 1 never committed, or it is known already. */
  #applyFact(fact: Fact, emit: Emit): void {
    const { identity, token, outcome } = fact
    const delivery = this.#open.delivery(identity)
    if (delivery?.state.kind === 'attempting' && delivery.state.token === token) {
      this.#applied.active.push(fact)
      this.#writer.write(
        delivery,
        { kind: 'outcome', token, outcome, nowMs: fact.atMs, chance: this.#options.random.next() },
        emit,
        this.#open.flight(identity)?.request as Request | undefined,
      )
    } else this.#options.journal.settled([token])
  }

  #applyFailure({ flight, failure }: FailedFlight, emit: Emit): void {
    const { identity } = flight
    if (this.#open.flight(identity) !== flight) return
    this.#open.setFlight(identity, undefined)
    this.#options.count('outcome', failure.reached ? 'failed' : 'unreached')
    const answered = failure.refused.length + failure.deferred.length > 0
    if (!failure.reached && !answered) this.#tries.putOff(identity, failure)
    else {
      const event = {
        kind: 'failed',
        nowMs: this.#options.clock.nowMs(),
        chance: this.#options.random.next(),
        failure,
      } as const
      this.#writer.write(flight.delivery, event, emit, flight.request as Request)
    }
  }

  /** Nobody has told, and nobody can any more. */
  #decideDoubts(): void {
    const outcome = {
      kind: 'unknown',
      reply: 'the process that sent it died before it knew the answer',
    } as const
    const atMs = this.#options.clock.nowMs()
    for (const doubt of this.#doubts.takeDue()) this.#onFact({ ...doubt, outcome, atMs })
  }

  /** The gate: the ATTEMPT goes into the active cycle. */
  #seal(flight: Flight, emit: Emit): void {
    const { clock, incarnation } = this.#options
    const { prepared, delivery } = flight
    if (prepared === undefined || this.#open.flight(flight.identity) !== flight) return
    const nowMs = clock.nowMs()
    const overdue = overdueEvent(delivery, nowMs)
    if (overdue) {
      this.#tries.undo(flight)
      this.#writer.write(delivery, overdue, emit)
      return
    }
    flight.token = `${incarnation}:${(this.#sequence += 1)}`
    flight.stage = 'sealed'
    this.#sealed.active.push(flight)
    const attempt = intentOf(flight.token, prepared)
    const chance = this.#options.random.next()
    this.#writer.write(delivery, { kind: 'attempt', nowMs, chance, attempt }, emit)
  }
}

function keysOfIdentity(identity: string): readonly string[] {
  return [openKey(identity), endedKey(identity)]
}

function stateText({ state }: Delivery): string {
  return state.kind === 'ended' ? state.end : state.kind
}
