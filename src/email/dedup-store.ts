import { StreamsError } from '../errors.ts'
import type { Serde } from '../serde.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { FirstPlace } from './record-headers.ts'

/** What is remembered of an identity. */
export interface SeenRequest {
  readonly kind: 'seen'
  /** Record time of the first request, milliseconds. */
  readonly firstSeenMs: number
  /** Of the first request. Two requests of one identity, one window after the other, differ in it. */
  readonly requestedAtMs: number
  /** The later of first seen and `requestedAt`: the window counts from here. */
  readonly countedFromMs: number
  /** SHA-256 over what makes the mail, hex. */
  readonly contentHash: string
  /**
   * For each partition of `email.requested` the last record of this identity that was answered. Records up to it are not
   * repeats of the request but the same records, read again.
   */
  readonly answered: readonly FirstPlace[]
}

/**
 * Before this time identities may have been forgotten. It only grows, and whatever is decided by it is decided in the
 * transaction that stores it: see docs/decisions/dedup-window.md for why that is the proof.
 */
export interface Horizon {
  readonly kind: 'horizon'
  readonly horizonMs: number
}

export type DedupEntry = SeenRequest | Horizon

/** Frozen, because nearly every record puts the same one again. */
export function horizonAt(horizonMs: number): Horizon {
  return Object.freeze({ kind: 'horizon', horizonMs })
}

/** Its key in the store; an identity always contains a NUL. */
export const horizonKey = 'horizon'

/** How far `requestedAt` may lie ahead of the record time, milliseconds. */
export const requestedAheadMaxMs = 24 * 3_600_000

/** The store of the dedup stage. `windowMs` is the dedup window. */
export function dedupStore(windowMs: number): StoreDefinition<DedupEntry> {
  return {
    name: 'dedup',
    kind: 'rocksdb',
    value: dedupEntrySerde,
    keepsValues: false,
    writtenLast: horizonKey,
    changelogConfigs: {
      'cleanup.policy': 'compact,delete',
      // Twice the window, but never less than an identity lives: a requestedAt may lie a day ahead.
      'retention.ms': String(windowMs + Math.max(windowMs, requestedAheadMaxMs)),
    },
    // One more than the window: at its very end the identity is still known.
    expiresAtMs: (_key, entry) =>
      entry.kind === 'seen' ? entry.countedFromMs + windowMs + 1 : undefined,
  }
}

const seenTag = 1
const horizonTag = 2
const hashBytes = 32
const seenBytes = 1 + 8 + 8 + 8 + hashBytes
const placeBytes = 4 + 8 + 8

/** Fixed-width binary with a leading tag: 77 bytes for the usual entry. */
export const dedupEntrySerde: Serde<DedupEntry> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (entry: DedupEntry) => {
    if (entry instanceof NewlySeen) return entry.bytes
    return entry.kind === 'seen' ? encodeSeen(entry) : encodeHorizon(entry)
  },
  deserialize: (bytes: Buffer) => {
    if (bytes[0] === seenTag) return decodeSeen(bytes)
    if (bytes[0] === horizonTag) return horizonAt(bytes.readDoubleBE(1))
    throw new StreamsError(
      'STORE_UNREADABLE',
      `a dedup entry of the unknown kind ${bytes[0]}: a newer release wrote this store; run that one`,
    )
  },
})

function encodeHorizon(entry: Horizon): Buffer {
  const bytes = Buffer.allocUnsafe(9)
  bytes[0] = horizonTag
  bytes.writeDoubleBE(entry.horizonMs, 1)
  return bytes
}

function encodeSeen(entry: SeenRequest): Buffer {
  const bytes = Buffer.allocUnsafe(seenBytes + entry.answered.length * placeBytes)
  bytes[0] = seenTag
  bytes.writeDoubleBE(entry.firstSeenMs, 1)
  bytes.writeDoubleBE(entry.requestedAtMs, 9)
  bytes.writeDoubleBE(entry.countedFromMs, 17)
  bytes.write(entry.contentHash, 25, 'hex')
  let at = seenBytes
  for (const place of entry.answered) {
    bytes.writeUInt32BE(place.partition, at)
    bytes.writeDoubleBE(place.offset, at + 4)
    bytes.writeDoubleBE(place.timestampMs, at + 12)
    at += placeBytes
  }
  return bytes
}

/**
 * An identity that was seen for the first time, with what its first record says: it lives from the later of first seen and
 * `requestedAt`; one too far ahead is INVALID and may not be remembered for years.
 */
export function newlySeen(
  requestedAtMs: number,
  { partition, offset, timestampMs }: FirstPlace,
  contentHash: string,
): SeenRequest {
  const bytes = Buffer.allocUnsafe(seenBytes + placeBytes)
  const countedMs = Math.min(requestedAtMs, timestampMs + requestedAheadMaxMs)
  bytes[0] = seenTag
  bytes.writeDoubleBE(timestampMs, 1)
  bytes.writeDoubleBE(requestedAtMs, 9)
  bytes.writeDoubleBE(Math.max(timestampMs, countedMs), 17)
  bytes.write(contentHash, 25, 'hex')
  bytes.writeUInt32BE(partition, seenBytes)
  bytes.writeDoubleBE(offset, seenBytes + 4)
  bytes.writeDoubleBE(timestampMs, seenBytes + 12)
  return new NewlySeen(bytes)
}

/** Nearly every one is stored and never looked at: it is what it is stored as, and decoded when somebody asks. */
class NewlySeen implements SeenRequest {
  readonly kind = 'seen'
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get firstSeenMs(): number {
    return decodeSeen(this.bytes).firstSeenMs
  }

  get requestedAtMs(): number {
    return decodeSeen(this.bytes).requestedAtMs
  }

  get countedFromMs(): number {
    return decodeSeen(this.bytes).countedFromMs
  }

  get contentHash(): string {
    return decodeSeen(this.bytes).contentHash
  }

  get answered(): readonly FirstPlace[] {
    return decodeSeen(this.bytes).answered
  }
}

function decodeSeen(bytes: Buffer): SeenRequest {
  const answered: FirstPlace[] = []
  for (let at = seenBytes; at < bytes.length; at += placeBytes) {
    answered.push({
      partition: bytes.readUInt32BE(at),
      offset: bytes.readDoubleBE(at + 4),
      timestampMs: bytes.readDoubleBE(at + 12),
    })
  }
  return {
    kind: 'seen',
    firstSeenMs: bytes.readDoubleBE(1),
    requestedAtMs: bytes.readDoubleBE(9),
    countedFromMs: bytes.readDoubleBE(17),
    contentHash: bytes.toString('hex', 25, seenBytes),
    answered,
  }
}

/** True for a record that was answered already: the same place or one before it, and no later time, which a re-made topic would show. */
export function isAnswered(seen: SeenRequest, place: FirstPlace): boolean {
  return seen.answered.some(
    each =>
      each.partition === place.partition &&
      place.offset <= each.offset &&
      place.timestampMs <= each.timestampMs,
  )
}

/** The entry after the record at this place was answered. */
export function withAnswered(seen: SeenRequest, place: FirstPlace): SeenRequest {
  const { kind, firstSeenMs, requestedAtMs, countedFromMs, contentHash, answered } = seen
  const others = answered.filter(each => each.partition !== place.partition)
  const before = answered.find(each => each.partition === place.partition)
  const timestampMs = Math.max(place.timestampMs, before?.timestampMs ?? place.timestampMs)
  return {
    kind,
    firstSeenMs,
    requestedAtMs,
    countedFromMs,
    contentHash,
    answered: [...others, { ...place, timestampMs }],
  }
}
