import { type Delivery, newDelivery } from '../../src/effects/delivery.ts'
import type { OutboxStore } from '../../src/effects/engine-options.ts'
import { deliverySerde, openKey } from '../../src/effects/outbox.ts'

const payload = Buffer.alloc(600, 'x')

/** An outbox in which so many requests wait for a time, made when they are read: the memory that is measured is that of who reads them. */
export class WaitingOutbox implements OutboxStore {
  readonly #waiting: number
  readonly #written = new Map<string, Delivery>()
  #scanned = 0

  constructor(waiting: number) {
    this.#waiting = waiting
  }

  get(key: string): Delivery | undefined {
    return this.#written.get(key)
  }

  put(key: string, value: Delivery): void {
    this.#written.set(key, value)
  }

  delete(key: string): void {
    this.#written.delete(key)
  }

  read(keys: readonly string[]): Promise<(Delivery | undefined)[]> {
    return Promise.resolve(keys.map(key => this.#written.get(key)))
  }

  /** Pages come from the disk, that is in another turn of the event loop. */
  async scanCommitted(
    _prefix: string,
    _afterKey: string,
    limit: number,
  ): Promise<(readonly [string, Delivery])[]> {
    await new Promise(resolve => setImmediate(resolve))
    const page: (readonly [string, Delivery])[] = []
    for (; page.length < limit && this.#scanned < this.#waiting; this.#scanned += 1) {
      const delivery = deliverySerde.deserialize(deliverySerde.serialize(waitingOne(this.#scanned)))
      page.push([openKey(delivery.plan.identity), delivery])
    }
    return page
  }
}

function waitingOne(index: number): Delivery {
  const id = (index * 2_654_435_761).toString(16).padStart(16, '0')
  const delivery = newDelivery(
    {
      identity: `source-${index % 20}\u0000${id.slice(0, 8)}-0000-4000-8000-${id.slice(-12).padStart(12, '0')}`,
      targets: [`user${index}@domain${index % 50_000}.example`],
      firstSeenMs: 1_700_000_000_000 + index,
      notBeforeMs: null,
      expiresAtMs: index % 2 === 0 ? null : 4_000_000_000_000 + index,
      inDoubt: 'hold',
      priority: index % 3,
    },
    { key: Buffer.from('key'), headers: [], payload },
  )
  const dueMs = 3_000_000_000_000 + ((index * 7919) % 1_000_000_000)
  return { ...delivery, state: { kind: 'waiting', dueMs } }
}
