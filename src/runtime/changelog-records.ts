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
  for (const { key, value } of writes)
    gathered.add({
      topic,
      partition,
      key: Buffer.from(key),
      value,
      headers: noHeaders,
      timestampMs,
    })
}
