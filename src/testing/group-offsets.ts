import {
  type CommittedOffset,
  type OffsetToCommit,
  partitionKey,
  type TopicPartition,
} from '../runtime/ports.ts'
import type { TransactionParticipant } from './transaction-coordinator.ts'

interface StoredOffset extends CommittedOffset {
  /** Place in the log of the offsets: of two transactions the one that wrote later wins, whichever marker comes first. */
  readonly order: number
}

/** The offsets of one group: committed ones, and those that wait for the marker of their transaction. */
export class GroupOffsets implements TransactionParticipant {
  readonly name: string
  #order = 0
  readonly #committed = new Map<string, StoredOffset>()
  readonly #pending = new Map<number, Map<string, StoredOffset>>()

  constructor(groupId: string) {
    this.name = `group ${groupId}`
  }

  /** Repeating a request changes nothing. */
  addPending(producerId: number, offsets: readonly OffsetToCommit[]): void {
    const pending = this.#pending.get(producerId) ?? new Map<string, StoredOffset>()
    this.#pending.set(producerId, pending)
    for (const at of offsets) pending.set(partitionKey(at), this.#stored(at))
  }

  /** Outside any transaction: how a test or an operator sets a group's position. */
  set(offsets: readonly OffsetToCommit[]): void {
    for (const at of offsets) this.#committed.set(partitionKey(at), this.#stored(at))
  }

  endTransaction(producerId: number, committed: boolean): void {
    const pending = this.#pending.get(producerId) ?? []
    this.#pending.delete(producerId)
    if (!committed) return
    for (const [key, offset] of pending)
      if ((this.#committed.get(key)?.order ?? -1) < offset.order) this.#committed.set(key, offset)
  }

  /** Undefined while a transaction holds one of them back (UNSTABLE_OFFSET_COMMIT). */
  stable(partitions: readonly TopicPartition[]): ReadonlyMap<string, CommittedOffset> | undefined {
    const offsets = new Map<string, CommittedOffset>()
    const pending = [...this.#pending.values()]
    for (const at of partitions) {
      const key = partitionKey(at)
      if (pending.some(transaction => transaction.has(key))) return undefined
      const stored = this.#committed.get(key)
      if (stored !== undefined)
        offsets.set(key, { offset: stored.offset, metadata: stored.metadata })
    }
    return offsets
  }

  #stored({ offset, metadata }: OffsetToCommit): StoredOffset {
    return { offset, metadata, order: this.#order++ }
  }
}
