import { keyOfRow } from '../state/store-key.ts'
import type { StoreWrite } from '../state/store.ts'
import type { GatheredRecords, Header } from './ports.ts'
import type { TaskStore } from './task-store.ts'

const noHeaders: readonly Header[] = Object.freeze([])

/** Changelog records of one store's part, for the cycle that wrote them. */
export function gatherChangelog(
  gathered: GatheredRecords,
  { changelogTopic: topic }: Pick<TaskStore, 'changelogTopic'>,
  partition: number,
  writes: readonly StoreWrite[],
  timestampMs: number,
): void {
  for (let index = 0; index < writes.length; index += 1) {
    const { key, value, row } = writes[index]!
    gathered.add({
      topic,
      partition,
      key: row === undefined ? Buffer.from(key) : keyOfRow(row),
      value,
      headers: noHeaders,
      timestampMs,
    })
  }
}
