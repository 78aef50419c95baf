import type { Logger } from '../log.ts'

/** What the open requests of one instance may come to, of all its tasks together. */
export interface OutboxLimit {
  readonly requests: number
  /** Their payloads and some 500 bytes each for what is kept beside them. */
  readonly bytes: number
}

export const defaultOutboxLimit: OutboxLimit = Object.freeze({
  requests: 1_000_000,
  bytes: 10_000_000_000,
})

/** Full at the limit, and until a twentieth is free again: who is paused for one request is not resumed for one. */
const freeAgain = 0.95

/**
 * Counts the open requests of an instance. While they are too many its partitions take no more: records stay with the broker, and what
 * the open ones wait for goes on.
 */
export class OutboxRoom {
  readonly #limit: OutboxLimit
  readonly #log: Logger
  #requests = 0
  #bytes = 0
  #isFull = false

  constructor(limit: OutboxLimit, log: Logger) {
    this.#limit = limit
    this.#log = log
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** Takes note of so many more, or less. */
  add(requests: number, bytes: number): void {
    this.#requests += requests
    this.#bytes += bytes
    const share = Math.max(this.#requests / this.#limit.requests, this.#bytes / this.#limit.bytes)
    const fields = { requests: this.#requests, bytes: this.#bytes }
    if (!this.#isFull && share >= 1) {
      this.#isFull = true
      this.#log.warn(
        { event: 'outbox-full', ...fields },
        'the outbox is full: no more requests are taken until some have ended',
      )
    } else if (this.#isFull && share < freeAgain) {
      this.#isFull = false
      this.#log.info({ event: 'outbox-has-room', ...fields }, 'requests are taken again')
    }
  }
}
