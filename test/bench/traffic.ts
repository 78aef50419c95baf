import { knownRequestRecord } from './known-requests.ts'
import type { BenchWorld } from './bench-world.ts'

export interface TrafficOptions {
  readonly perSecond: number
  /** The number of the next request. */
  readonly next: () => number
  /** Of the requests with these numbers: they are for nobody. @default none */
  readonly isInvalid?: (number: number) => boolean
}

/** Requests at an even pace, from its start until it is disposed of. */
export class Traffic implements AsyncDisposable {
  readonly #running: Promise<void>
  #isOver = false
  published = 0

  constructor(world: BenchWorld, options: TrafficOptions) {
    this.#running = this.#run(world, options)
  }

  async #run(world: BenchWorld, options: TrafficOptions): Promise<void> {
    const { perSecond, next, isInvalid = () => false } = options
    await using producer = world.cluster.createProducer({
      transactionalId: 'bench-traffic',
      transactionTimeoutMs: 10_000,
    })
    await producer.init()
    const beganMs = performance.now()
    while (!this.#isOver) {
      const due = Math.floor(((performance.now() - beganMs) / 1000) * perSecond)
      const records = Array.from({ length: due - this.published }, () => {
        const number = next()
        return knownRequestRecord(world, number, isInvalid(number) ? [] : undefined)
      })
      this.published += records.length
      if (records.length > 0) {
        await producer.send(records)
        await producer.commit()
      }
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#running
  }
}
