import { StreamsError } from '../errors.ts'
import type { FindTable, GlobalTable, TableView } from '../global-table.ts'
import type { ProducedRecord } from '../runtime/ports.ts'
import { TableContent } from '../runtime/table-content.ts'

/** The global tables of the test driver: a record is in them as soon as it is written. */
export class DriverTables {
  readonly #tables: ReadonlyMap<
    string,
    { readonly definition: GlobalTable; readonly content: TableContent<unknown> }
  >

  constructor(tables: readonly GlobalTable[], partitions: number) {
    this.#tables = new Map(
      tables.map(definition => [
        definition.name,
        { definition, content: new TableContent<unknown>(partitions, definition.bound) },
      ]),
    )
  }

  readonly find: FindTable = <Value>(definition: GlobalTable<Value>): TableView<Value> => {
    const table = this.#tables.get(definition.name)
    if (table !== undefined) return table.content as TableView<Value>
    const text = `the topology has no global table '${definition.name}': add it with globalTable`
    throw new StreamsError('TOPOLOGY_INVALID', text)
  }

  take({ topic, partition, key, value }: ProducedRecord): void {
    for (const { definition, content } of this.#tables.values()) {
      if (definition.topic.name !== topic || key === null) continue
      const name = definition.topic.key.deserialize(key)
      if (value === null) content.delete(partition, name)
      else content.put(partition, name, definition.keep(definition.topic.value.deserialize(value)))
    }
  }
}
