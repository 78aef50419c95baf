import assert from 'node:assert/strict'
import { decisionText, type Delivery } from './delivery.ts'
import type { DeliveryEvent } from './delivery-event.ts'
import { deliver } from './delivery-machine.ts'
import type { RetryPolicy } from './delivery-schedule.ts'
import type { EffectEnd, EndKind } from './effect.ts'
import type { Emit, EngineOptions } from './engine-options.ts'
import type { OpenRequests } from './open-requests.ts'
import { endedKey, openKey } from './outbox.ts'

const noPayload = Buffer.alloc(0)

/** Writes transitions: into the cycle's store, into memory, and their ends to the outcome topics. */
export class OutboxWriter<Request> {
  readonly #options: EngineOptions<Request>
  readonly #open: OpenRequests
  readonly #policy: RetryPolicy
  /** Called with each identity whose attempt is no longer waited for. */
  readonly #onDecided: (identity: string) => void

  constructor(
    options: EngineOptions<Request>,
    open: OpenRequests,
    onDecided: (identity: string) => void,
  ) {
    const { definition } = options
    this.#options = options
    this.#open = open
    this.#policy = { delaysMs: definition.retryDelaysMs, jitter: definition.retryJitter ?? 0.1 }
    this.#onDecided = onDecided
  }

  /** `request` where it is decoded already. False when the event says nothing about the delivery. */
  write(before: Delivery, event: DeliveryEvent, emit: Emit, request?: Request): boolean {
    const { definition, count } = this.#options
    const { delivery, end } = deliver(before, event, this.#policy)
    if (delivery === before && event.kind !== 'accepted') return false
    if (delivery.state.kind === 'ended') this.#writeEnded(before, delivery, event)
    else this.#writeOpen(before, delivery)
    if (delivery.state.kind !== 'attempting') this.#onDecided(delivery.plan.identity)
    if (end === null) return true
    count('end', end)
    const known = request ?? definition.request.deserialize(delivery.payload)
    const ended = this.#end(delivery, end, known)
    const output = definition.output(ended)
    if (output !== null) emit(output)
    this.#toDeadLetters(delivery, ended)
    return true
  }

  #toDeadLetters({ key, headers, payload, origin }: Delivery, end: EffectEnd<Request>): void {
    const { definition, deadLetter } = this.#options
    const reason = definition.deadLetter?.(end) ?? null
    if (reason === null) return
    assert(origin !== undefined, 'an effect with dead letters keeps the origin of its requests')
    deadLetter({ key, headers, payload, origin, reason })
  }

  /** An in-doubt end keeps the request's bytes: it may be revised, and then even sent. */
  #writeEnded(before: Delivery, delivery: Delivery, event: DeliveryEvent): void {
    const { store } = this.#options
    const { identity } = delivery.plan
    if (event.kind !== 'accepted' && before.state.kind !== 'ended') store.delete(openKey(identity))
    const mayBeRevised = delivery.state.kind === 'ended' && delivery.state.end === 'in-doubt'
    store.put(endedKey(identity), mayBeRevised ? delivery : { ...delivery, payload: noPayload })
    this.#open.delete(identity)
  }

  #writeOpen(before: Delivery, delivery: Delivery): void {
    const { store } = this.#options
    const { identity } = delivery.plan
    if (before.state.kind === 'ended') store.delete(endedKey(identity))
    store.put(openKey(identity), delivery)
    const { kind } = delivery.state
    const flight = kind === 'attempting' ? this.#open.flight(identity) : undefined
    this.#open.place(delivery)
    this.#open.setFlight(identity, flight)
    if (flight) this.#open.setStage(identity, 'flying')
  }

  #end(delivery: Delivery, kind: EndKind, request: Request): EffectEnd<Request> {
    const { plan, targets, key, headers, attempts, messageId, relay, reply, state } = delivery
    const endedAtMs = state.kind === 'ended' ? state.atMs : this.#options.clock.nowMs()
    return {
      kind,
      identity: plan.identity,
      request,
      key,
      headers,
      targets,
      attempts,
      messageId,
      relay,
      reply,
      detail: detailOf(delivery),
      atMs: kind === 'done' ? (delivery.acceptedAtMs ?? endedAtMs) : endedAtMs,
      revised: delivery.revising,
    }
  }
}

/** The last word of the other side, behind what a person decided if somebody did. */
function detailOf({ decisions, reply }: Delivery): string {
  const decision = decisions.at(-1)
  if (decision === undefined) return reply
  const text = decisionText(decision)
  return reply === '' || reply === text ? text : `${text}; ${reply}`
}
