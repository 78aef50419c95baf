import { errorCodeOf, StreamsError } from '../errors.ts'
import { OverlaidStore } from '../state/overlaid-store.ts'
import type { StoreBackend, StoreDefinition } from '../state/store.ts'
import { newSweep } from './sweeper.ts'
import type { Task } from './task.ts'
import { changelogName } from './topic-catalog.ts'
import { WatchedBackend } from './watched-backend.ts'

/** A store that breaks again and again while one task has it is broken by its machine: making it anew would never end. */
const corruptionsMax = 3

/**
 * Opens the stores that the task does not have. One that cannot be read, now or since it was opened, is deleted first: its
 * changelog has everything. Throws STORE_UNREADABLE for one that breaks again and again.
 */
export async function openStores(task: Task): Promise<void> {
  for (const definition of task.storeDefinitions) {
    const store = task.stores.get(definition.name)
    if (store?.backend.isCorrupted === true) {
      noteCorruption(task, definition)
      await discardStore(task, definition)
    } else if (store === undefined) await openStore(task, definition)
  }
}

/** Closes it, deletes its files and opens an empty one in its place. */
export async function discardStore(task: Task, definition: StoreDefinition): Promise<void> {
  await task.stores.get(definition.name)?.backend.close()
  task.stores.delete(definition.name)
  await task.context.stateDirectory.destroy(task.id, definition)
  await openStore(task, definition)
}

async function openStore(task: Task, definition: StoreDefinition): Promise<void> {
  const { stateDirectory, catalog, applicationId } = task.context
  const open = (): Promise<StoreBackend> => stateDirectory.open(task.id, definition)
  const opened = await open().catch(async (error: unknown) => {
    if (errorCodeOf(error) !== 'STORE_CORRUPTED') throw error
    noteCorruption(task, definition)
    await stateDirectory.destroy(task.id, definition)
    return open()
  })
  const backend = new WatchedBackend(opened)
  const changelogTopic = changelogName(applicationId, definition.name)
  task.stores.set(definition.name, {
    definition,
    changelogTopic,
    changelogTopicId: catalog.describe(changelogTopic).topicId,
    backend,
    overlaid: new OverlaidStore(definition, backend),
    position: 0,
    sweep: newSweep(),
  })
}

function noteCorruption(task: Task, { name }: StoreDefinition): void {
  const times = (task.corruptions.get(name) ?? 0) + 1
  task.corruptions.set(name, times)
  if (times > corruptionsMax)
    throw new StreamsError(
      'STORE_UNREADABLE',
      `the local store ${task.id}/${name} became unreadable ${times} times, although it was restored each time: check the disk of this machine, or give it another --state-dir`,
    )
  task.context.log.warn(
    { event: 'store-corrupted', task: task.id, store: name },
    'the local store cannot be read: it is deleted and restored from its changelog',
  )
}
