import { topicNames } from '../../../src/email/topic-names.ts'
import type { EmailRequested } from '../../../src/email/records.ts'
import type { Random } from '../../../src/random.ts'
import type { MemoryBroker } from '../../../src/testing/memory-broker.ts'
import { partitionForKey } from '../../../src/topology/partitioner.ts'
import { emailRequested } from '../../support/email-requests.ts'
import { plainSerdes } from '../../support/email-flow.ts'

export const partitions = 2

/** A record as it stands in `email.requested`; `request` is missing where it cannot be decoded. */
export interface Published {
  readonly number: number
  readonly request: EmailRequested | undefined
  readonly value: Buffer | null
  readonly partition: number
  readonly offset: number
  readonly timestampMs: number
}

/** Other teams: they ask for mails, repeat themselves, contradict themselves, and write nonsense. */
export class BusinessSystems {
  readonly published: Published[] = []
  readonly #broker: MemoryBroker
  readonly #random: Random
  readonly #windowMs: number
  readonly #withWebhooks: boolean
  #count = 0

  constructor(broker: MemoryBroker, random: Random, windowMs: number, withWebhooks: boolean) {
    this.#withWebhooks = withWebhooks
    this.#windowMs = windowMs
    this.#broker = broker
    this.#random = random
  }

  publish(): void {
    const value = this.#choose<EmailRequested | Buffer | null>([
      [0.5, () => this.#newRequest()],
      [0.2, () => this.#copy()],
      [0.08, () => this.#copy({ subject: 'Something else' })],
      [0.04, () => this.#copy({ requestedAt: this.#nowMs - this.#windowMs - 1000 })],
      [0.03, () => this.#newRequest({ requestedAt: this.#nowMs - this.#windowMs - 1000 })],
      [0.03, () => this.#newRequest({ to: [] })],
      [0.03, () => this.#newRequest({ requestedAt: this.#nowMs + 2 * 24 * 3_600_000 })],
      [0.02, () => null],
      [0.04, () => Buffer.from('nonsense')],
    ])
    this.write(value)
  }

  /** Writes one record as some producer would. */
  write(value: EmailRequested | Buffer | null): void {
    const raw = value === null || Buffer.isBuffer(value)
    const request = raw ? undefined : value
    const bytes = raw ? value : plainSerdes.requested.serialize(value)
    const rightKey = Buffer.from(request?.requestId ?? 'nobody')
    const drawn = this.#random.next()
    const key = drawn < 0.75 ? rightKey : drawn < 0.9 ? null : Buffer.from('another')
    const partition =
      this.#random.next() < 0.75
        ? partitionForKey(rightKey, partitions)
        : Math.floor(this.#random.next() * partitions)
    const log = this.#broker.log({ topic: topicNames.requested, partition })
    const offset = log.endOffset
    const timestampMs = this.#nowMs
    this.#broker.append([
      { topic: topicNames.requested, partition, key, value: bytes, headers: [], timestampMs },
    ])
    const number = this.#count
    const place = `email.requested/${partition} at ${offset}`
    this.#broker.network.story.tell('business', `${describe(request)}, in ${place}`)
    this.published.push({ number, request, value: bytes, partition, offset, timestampMs })
    this.#count += 1
  }

  get #nowMs(): number {
    return this.#broker.network.clock.nowMs()
  }

  #newRequest(fields: Partial<EmailRequested> = {}): EmailRequested {
    const identity = Math.floor(this.#random.next() * 24)
    const nowMs = this.#nowMs
    return emailRequested({
      requestId: `r-${identity >> 1}`,
      source: identity % 2 === 0 ? 'billing' : 'shop',
      to: this.#addresses(),
      subject: `mail ${identity}`,
      priority: this.#choose([
        [0.6, () => 'NORMAL' as const],
        [0.2, () => 'HIGH' as const],
        [0.2, () => 'BULK' as const],
      ]),
      inDoubt: this.#choose([
        [0.8, () => 'DEFAULT' as const],
        [0.1, () => 'HOLD' as const],
        [0.1, () => 'RESEND' as const],
      ]),
      notBefore:
        this.#random.next() < 0.1 ? nowMs + Math.floor(this.#random.next() * 20_000) : null,
      expiresAt:
        this.#random.next() < 0.1 ? nowMs + Math.floor(this.#random.next() * 60_000) : null,
      requestedAt: nowMs,
      callback: this.#callback(),
      ...fields,
    })
  }

  /** Somebody asks again, with the same content unless another is given. */
  #copy(fields: Partial<EmailRequested> = {}): EmailRequested {
    const known = this.published.flatMap(each => each.request ?? [])
    const request = known[Math.floor(this.#random.next() * known.length)]
    if (request === undefined) return this.#newRequest()
    const requestedAt = this.#random.next() < 0.5 ? this.#nowMs : request.requestedAt
    return { ...request, requestedAt, callback: this.#callback(), ...fields }
  }

  /** Names its record, so that each callback tells for which one it is. */
  #callback(): EmailRequested['callback'] {
    if (this.#random.next() < 0.4) return null
    const isAsked = this.#withWebhooks && this.#random.next() < 0.7
    const url = isAsked ? `https://receiver-${this.#count % 8}.test/` : null
    return { context: { number: String(this.#count) }, url }
  }

  #addresses(): string[] {
    const count = 1 + Math.floor(this.#random.next() * 3)
    return Array.from({ length: count }, (_, index) => {
      const name = this.#random.next() < 0.15 ? 'gone' : 'person'
      const domain = this.#random.next() < 0.6 ? 'example.org' : 'example.net'
      return `${name}-${index}@${domain}`
    })
  }

  #choose<T>(choices: readonly (readonly [share: number, make: () => T])[]): T {
    let left = this.#random.next()
    for (const [share, make] of choices) {
      left -= share
      if (left < 0) return make()
    }
    return choices[0]![1]()
  }
}

function describe(request: EmailRequested | undefined): string {
  if (request === undefined) return 'writes nonsense'
  const { source, requestId, subject, to } = request
  return `${source} ${requestId} asks for "${subject}" to ${to.join(' and ') || 'nobody'}`
}
