import { type DedupEntry, dedupStore } from '../../src/email/dedup-store.ts'
import { dedupProcessor, type RequestRecord } from '../../src/email/dedup-processor.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import type { RecordHeader, StreamRecord } from '../../src/topology/topology.ts'
import { FakeContext, type Forwarded } from './fake-context.ts'
import { noonMs } from './email-requests.ts'

/** Where and how a request is read; the next offset and noon unless a test says otherwise. */
export interface Reading {
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  readonly timestampMs?: number
  readonly key?: Buffer | string | null
  readonly headers?: readonly RecordHeader[]
  readonly isReread?: boolean
}

/** One task of the dedup stage over maps. */
export class DedupStage {
  readonly context = new FakeContext()
  readonly store: StoreDefinition<DedupEntry>
  readonly #windowMs: number
  #nextOffset = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
    this.store = dedupStore(windowMs)
  }

  /** Processes one request and returns what it brought. */
  read(request: EmailRequested, reading: Reading = {}): Forwarded[] {
    const offset = reading.offset ?? this.#nextOffset
    const timestampMs = reading.timestampMs ?? noonMs
    this.#nextOffset = Math.max(this.#nextOffset, offset + 1)
    this.context.origin = {
      topic: reading.topic ?? 'email.requested',
      partition: reading.partition ?? this.context.partition,
      offset,
      ...(reading.isReread === true && { isReread: true }),
    }
    this.context.streamTimeMs = Math.max(this.context.streamTimeMs, timestampMs)
    const key = reading.key ?? null
    const record: RequestRecord = {
      key,
      value: request,
      timestampMs,
      headers: reading.headers ?? [],
      raw: {
        key,
        value: request,
        keyBytes: Buffer.isBuffer(key) ? key : null,
        valueBytes: Buffer.from('bytes of the producer'),
      },
    }
    dedupProcessor({ store: this.store, windowMs: this.#windowMs }).process(record, this.context)
    return this.context.take()
  }

  /** The same disk under a new process, which has seen no record yet; with another window if one is given. */
  restart(windowMs = this.#windowMs): DedupStage {
    const next = new DedupStage(windowMs)
    for (const [key, bytes] of this.context.entries(this.store)) {
      next.context.entries(next.store).set(key, bytes)
    }
    next.#nextOffset = this.#nextOffset
    return next
  }

  /** Forgets what may be forgotten, as the runtime does from time to time. */
  sweep(): void {
    this.context.sweep(this.store, this.context.streamTimeMs)
  }
}

/** Node and, for a failure, the reason: the answer to a request in one word or two. */
export function answers(forwarded: readonly Forwarded[]): string[] {
  return forwarded.map(({ to, record }) => {
    const { reason } = record.value as { readonly reason?: string }
    return reason === undefined ? String(to) : `${to} ${reason}`
  })
}

export function headerText(record: StreamRecord | undefined, name: string): string | undefined {
  return record?.headers.find(each => each.key === name)?.value?.toString()
}
