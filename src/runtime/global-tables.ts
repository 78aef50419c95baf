import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { FindTable, GlobalTable, TableView } from '../global-table.ts'
import type { Logger } from '../log.ts'
import type { KafkaCluster } from './ports.ts'
import type { RuntimeMetrics } from './runtime-metrics.ts'
import { TableReader } from './table-reader.ts'

/** What a table is read with. */
export interface TableContext {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RuntimeMetrics
}

/** The global tables of an instance, in memory: all of its tasks share them, and none runs before they are whole. */
export class GlobalTables {
  readonly #readers: ReadonlyMap<string, TableReader>

  constructor(tables: readonly GlobalTable[], context: TableContext) {
    this.#readers = new Map(tables.map(each => [each.name, new TableReader(each, context)]))
  }

  /** What the topology calls the table. Asked before it is whole it is a bug: nothing that asks runs then. */
  readonly find: FindTable = <Value>(definition: GlobalTable<Value>): TableView<Value> => {
    const reader = this.#readers.get(definition.name)
    if (reader === undefined)
      throw new StreamsError(
        'TOPOLOGY_INVALID',
        `the topology has no global table '${definition.name}': add it with globalTable`,
      )
    if (reader.content === undefined)
      throw new StreamsError('INTERNAL', `the table '${definition.name}' has not been read yet`)
    return reader.content as TableView<Value>
  }

  /** Names of those that have not been read to their end. */
  get waitedFor(): readonly string[] {
    return [...this.#readers]
      .filter(([, reader]) => reader.content === undefined)
      .map(([name]) => name)
  }

  /** Reads them until the signal aborts; rejects with what does not pass by itself. */
  async follow(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from(this.#readers.values(), reader => reader.follow(signal)))
  }

  /** Resolves when each has once been read to the end it had. */
  async caughtUp(): Promise<void> {
    await Promise.all(Array.from(this.#readers.values(), reader => reader.caughtUp))
  }
}
