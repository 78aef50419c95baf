import { sleep } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { StoreWrite } from '../state/store.ts'
import { partitionKey } from './ports.ts'
import { changelogOf } from './replay.ts'
import type { FrozenStore, Task } from './task.ts'
import { restoreFetch } from './task-store.ts'

/** How long the changelog may take to be read, milliseconds: as long as an open transaction may hold it back. */
const readMaxMs = 15_000

/**
 * What has to be written so that a restore makes of the changelog, up to `end`, what this instance makes of its disk and the writes of the
 * cycle: the disk is the truth up to the store's position, and what others wrote behind it was never committed. Empty when it does already.
 */
export async function overrulingWrites(
  task: Task,
  { store, writes }: FrozenStore,
  end: number,
): Promise<readonly StoreWrite[]> {
  const found = await lastValues(task, store, end)
  const ours = new Map(writes.map(({ key, value }) => [key, value]))
  const keys = [...found.keys()]
  const onDisk = await store.backend.getMany(keys)
  return keys.flatMap((key, index) => {
    const own = ours.get(key)
    const value = own === undefined ? (onDisk[index] ?? null) : own
    return isSame(value, found.get(key) ?? null) ? [] : [{ key, value }]
  })
}

/** Of each key between the store's position and `end`. */
async function lastValues(
  task: Task,
  store: FrozenStore['store'],
  end: number,
): Promise<ReadonlyMap<string, Buffer | null>> {
  const { cluster, clock } = task.context
  const found = new Map<string, Buffer | null>()
  const at = changelogOf(task, store)
  const deadlineMs = clock.monotonicMs() + readMaxMs
  await using fetcher = cluster.createFetcher(restoreFetch)
  let ready = nothing
  fetcher.onReady(() => ready())
  fetcher.assign(at, store.position)
  for (let position = store.position; position < end;) {
    const batches = fetcher.poll()
    for (const { records, nextOffset } of batches) {
      for (const { offset, key, value } of records)
        if (offset < end) found.set(key?.toString('utf8') ?? '', value)
      position = nextOffset
    }
    if (batches.length > 0) continue
    if (clock.monotonicMs() > deadlineMs)
      throw new StreamsError(
        'CHANGELOG_DISTURBED',
        `${partitionKey(at)}: what somebody else has written to it from ${position} on cannot be read`,
      )
    const quiet = new AbortController()
    ready = () => quiet.abort()
    await sleep(clock, 1000, quiet.signal)
  }
  return found
}

function isSame(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}

const nothing = (): void => undefined
