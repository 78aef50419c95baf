import { errorCodeOf, StreamsError } from '../errors.ts'
import { FilteredBackend } from '../state/filtered-backend.ts'
import { OverlaidStore } from '../state/overlaid-store.ts'
import type { StoreBackend, StoreDefinition } from '../state/store.ts'
import { newSweep } from './sweeper.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskStore } from './task-store.ts'
import { changelogName } from './topic-catalog.ts'
import { WatchedBackend } from './watched-backend.ts'

/** A store that breaks again and again while one task has it is broken by its machine: making it anew would never end. */
const corruptionsMax = 3

/** Whose stores they are; `corruptions` counts by store how often one broke. */
export interface StoreOwner {
  readonly id: string
  readonly context: Pick<TaskContext, 'stateDirectory' | 'catalog' | 'applicationId' | 'log'>
  readonly stores: Map<string, TaskStore>
  readonly corruptions: Map<string, number>
}

/**
 * Opens the stores that the owner does not have. One that cannot be read, now or since it was opened, is deleted first: its
 * changelog has everything. Throws STORE_UNREADABLE for one that breaks again and again.
 */
export async function openStores(
  owner: StoreOwner,
  definitions: readonly StoreDefinition[],
): Promise<void> {
  for (const definition of definitions) {
    const store = owner.stores.get(definition.name)
    if (store?.backend.isCorrupted === true) {
      noteCorruption(owner, definition)
      await discardStore(owner, definition)
    } else if (store === undefined) await openStore(owner, definition)
  }
}

/** Closes it, deletes its files and opens an empty one in its place. */
export async function discardStore(owner: StoreOwner, definition: StoreDefinition): Promise<void> {
  await owner.stores.get(definition.name)?.backend.close()
  owner.stores.delete(definition.name)
  await owner.context.stateDirectory.destroy(owner.id, definition)
  await openStore(owner, definition)
}

async function openStore(owner: StoreOwner, definition: StoreDefinition): Promise<void> {
  const { stateDirectory, catalog, applicationId } = owner.context
  const open = async (): Promise<StoreBackend> =>
    filtered(await stateDirectory.open(owner.id, definition), definition)
  const opened = await open().catch(async (error: unknown) => {
    if (errorCodeOf(error) !== 'STORE_CORRUPTED') throw error
    noteCorruption(owner, definition)
    await stateDirectory.destroy(owner.id, definition)
    return open()
  })
  const backend = new WatchedBackend(opened)
  const changelogTopic = changelogName(applicationId, definition.name)
  owner.stores.set(definition.name, {
    definition,
    changelogTopic,
    changelogTopicId: catalog.describe(changelogTopic).topicId,
    backend,
    overlaid: new OverlaidStore(definition, backend),
    position: 0,
    sweep: newSweep(),
  })
}

/** What cannot be read now is as broken as what cannot be opened: it is not left open. */
async function filtered(opened: StoreBackend, { kind }: StoreDefinition): Promise<StoreBackend> {
  if (kind !== 'rocksdb') return opened
  try {
    return await FilteredBackend.open(opened)
  } catch (error) {
    await opened.close()
    throw error
  }
}

function noteCorruption({ id, context, corruptions }: StoreOwner, { name }: StoreDefinition): void {
  const times = (corruptions.get(name) ?? 0) + 1
  corruptions.set(name, times)
  if (times > corruptionsMax)
    throw new StreamsError(
      'STORE_UNREADABLE',
      `the local store ${id}/${name} became unreadable ${times} times, although it was restored each time: check the disk of this machine, or give it another --state-dir`,
    )
  context.log.warn(
    { event: 'store-corrupted', task: id, store: name },
    'the local store cannot be read: it is deleted and restored from its changelog',
  )
}
