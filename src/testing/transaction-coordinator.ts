import { strict as assert } from 'node:assert'
import type { Cancel } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { Network } from './network.ts'

/** A producer's identity in one of its transactions: the epoch grows with every one (KIP-890). */
export interface ProducerSession {
  readonly producerId: number
  readonly epoch: number
}

/** Who gets a marker when a transaction ends: a partition, or the offsets of a group. */
export interface TransactionParticipant {
  /** Its target for outages. */
  readonly name: string
  endTransaction(producerId: number, committed: boolean, timestampMs: number): void
}

interface TransactionalId {
  readonly name: string
  readonly producerId: number
  epoch: number
  timeoutMs: number
  /** `ending`: decided, but not every marker is written; nothing new may begin. */
  status: 'empty' | 'ongoing' | 'ending'
  participants: Set<TransactionParticipant>
  cancelTimeout: Cancel
  /** The last decision and the epoch it was asked with: a repeated request gets the same answer. */
  lastEnd: { readonly epoch: number; readonly committed: boolean } | undefined
}

const nothing = (): void => undefined

/** What a request meets while the markers of the transaction before are being written: come again soon (CONCURRENT_TRANSACTIONS). */
export const concurrent = 'concurrent'

/**
 * Epochs, time-outs and ends of transactions. A decision is taken at once and never changed; its markers reach the partitions and
 * the group later, each in its own time, as in Kafka: right after `commit` a reader may not see the records yet.
 */
export class TransactionCoordinator {
  readonly #network: Network
  readonly #ids = new Map<string, TransactionalId>()
  #nextProducerId = 1000

  constructor(network: Network) {
    this.#network = network
  }

  /** Fences the predecessor at once, and aborts its transaction before it answers with a session. */
  init(name: string, timeoutMs: number): ProducerSession | typeof concurrent {
    const id = this.#ids.get(name) ?? this.#create(name)
    id.timeoutMs = timeoutMs
    id.epoch += 1
    if (id.status === 'ongoing') this.#end(id, false, 'its producer was initialised again')
    if (id.status === 'ending') return concurrent
    return { producerId: id.producerId, epoch: id.epoch }
  }

  /** A producer id for who writes without transactions. */
  newProducerId(): number {
    return this.#nextProducerId++
  }

  /** Adds a participant to the session's transaction and begins it with the first one. Throws TRANSACTION_FENCED. */
  enlist(
    name: string,
    session: ProducerSession,
    participant: TransactionParticipant,
  ): 'enlisted' | typeof concurrent {
    const id = this.#owned(name, session)
    if (id.status === 'ending') return concurrent
    if (id.status === 'empty') {
      id.status = 'ongoing'
      id.cancelTimeout = this.#network.clock.schedule(id.timeoutMs, () => {
        id.epoch += 1
        this.#end(id, false, `it took longer than ${id.timeoutMs} ms`)
      })
    }
    id.participants.add(participant)
    return 'enlisted'
  }

  /** Decides the transaction and returns the session of the next one. Throws TRANSACTION_FENCED. */
  end(name: string, session: ProducerSession, committed: boolean): ProducerSession {
    const repeated = this.#ids.get(name)
    const isRepeat =
      repeated?.lastEnd?.epoch === session.epoch &&
      repeated.lastEnd.committed === committed &&
      // Once somebody else owns the id, the old owner must not get the new one's session.
      repeated.epoch === session.epoch + 1
    if (isRepeat) return { producerId: repeated.producerId, epoch: repeated.epoch }

    const id = this.#owned(name, session)
    assert(id.status !== 'ending', 'the epoch grew when the transaction ended')
    id.epoch += 1
    id.lastEnd = { epoch: session.epoch, committed }
    if (id.status === 'ongoing') this.#end(id, committed, 'its producer asked for it')
    return { producerId: id.producerId, epoch: id.epoch }
  }

  #create(name: string): TransactionalId {
    const id: TransactionalId = {
      name,
      producerId: this.#nextProducerId++,
      epoch: -1,
      timeoutMs: 0,
      status: 'empty',
      participants: new Set(),
      cancelTimeout: nothing,
      lastEnd: undefined,
    }
    this.#ids.set(name, id)
    return id
  }

  #owned(name: string, session: ProducerSession): TransactionalId {
    const id = this.#ids.get(name)
    if (id !== undefined && id.producerId === session.producerId && id.epoch === session.epoch)
      return id
    const owner = id === undefined ? 'nobody' : `epoch ${id.epoch}`
    throw new StreamsError(
      'TRANSACTION_FENCED',
      `${name} belongs to ${owner}, not to epoch ${session.epoch}`,
    )
  }

  #end(id: TransactionalId, committed: boolean, reason: string): void {
    const { clock, story } = this.#network
    story.tell(`transaction ${id.name}`, `${committed ? 'commits' : 'aborts'}: ${reason}`)
    id.cancelTimeout()
    id.status = 'ending'
    for (const participant of id.participants)
      clock.schedule(this.#network.latencyMs(), () => this.#mark(id, participant, committed))
  }

  #mark(id: TransactionalId, participant: TransactionParticipant, committed: boolean): void {
    const { clock, faults } = this.#network
    const unavailableMs = faults.unavailableForMs(participant.name)
    if (unavailableMs > 0) {
      clock.schedule(unavailableMs, () => this.#mark(id, participant, committed))
      return
    }
    participant.endTransaction(id.producerId, committed, clock.nowMs())
    id.participants.delete(participant)
    if (id.participants.size === 0) id.status = 'empty'
  }
}
