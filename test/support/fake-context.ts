import type { GlobalTable, TableView } from '../../src/global-table.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import type { ProcessorContext, RecordOrigin, StreamRecord } from '../../src/topology/topology.ts'

/** What one record did to the fake task. */
export interface Forwarded {
  readonly to: string | undefined
  readonly record: StreamRecord
}

/**
 * A task's context over maps. Values go through their serde on the way in and out, so that a store never hands out the
 * object that was put into it. Each test sets the place and time of the record it processes.
 */
export class FakeContext implements ProcessorContext<never> {
  origin: RecordOrigin | undefined
  partition = 0
  partitions = 1
  applicationId = 'mailonce'
  streamTimeMs = -Infinity
  readonly forwarded: Forwarded[] = []
  readonly counts = new Map<string, number>()
  /** Entries of global tables, by table. */
  readonly tables = new Map<string, Map<string, unknown>>()
  readonly #stores = new Map<string, Map<string, Buffer>>()

  forward(record: StreamRecord, to?: string): void {
    this.forwarded.push({ to, record })
  }

  store<Value>(definition: StoreDefinition<Value>) {
    const entries = this.entries(definition)
    return {
      get: (key: string) => {
        const bytes = entries.get(key)
        return bytes === undefined ? undefined : definition.value.deserialize(bytes)
      },
      put: (key: string, value: Value) => {
        entries.set(key, definition.value.serialize(value))
      },
      delete: (key: string) => {
        entries.delete(key)
      },
    }
  }

  table = <Value>({ name }: GlobalTable<Value>): TableView<Value> =>
    (this.tables.get(name) ?? new Map()) as ReadonlyMap<string, Value>

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by)
  }

  /** The store's bytes. */
  entries(definition: Pick<StoreDefinition, 'name'>): Map<string, Buffer> {
    const entries = this.#stores.get(definition.name) ?? new Map<string, Buffer>()
    this.#stores.set(definition.name, entries)
    return entries
  }

  /** What the runtime's sweep does: forgets what has expired at this time. */
  sweep<Value>(definition: StoreDefinition<Value>, nowMs: number): void {
    const entries = this.entries(definition)
    for (const [key, bytes] of entries) {
      const expiresAtMs = definition.expiresAtMs?.(key, definition.value.deserialize(bytes))
      if (expiresAtMs !== undefined && expiresAtMs <= nowMs) entries.delete(key)
    }
  }

  /** Returns what was forwarded since the last call. */
  take(): Forwarded[] {
    return this.forwarded.splice(0)
  }
}
