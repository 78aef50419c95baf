import type { Serde } from '../serde.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { SubTopology } from '../topology/topology.ts'

/**
 * How far a task has processed each source of which it has to know. It is committed with the work itself, so after
 * somebody has set the group's offsets back it still tells, exactly, which records have been processed.
 */
export function positionsStore(subTopology: SubTopology): StoreDefinition<number> | undefined {
  if (!subTopology.sources.some(each => each.reread !== 'process')) return undefined
  return {
    name: `${subTopology.name}-positions`,
    kind: 'rocksdb',
    isSmall: true,
    value: offsetSerde,
    changelogConfigs: { 'cleanup.policy': 'compact' },
  }
}

export function isPositionsStore(
  subTopology: SubTopology,
  { name }: Pick<StoreDefinition, 'name'>,
): boolean {
  return positionsStore(subTopology)?.name === name
}

/** Stores of a sub-topology's tasks, and the one that the runtime keeps for it. */
export function storeDefinitionsOf(subTopology: SubTopology): readonly StoreDefinition[] {
  const positions = positionsStore(subTopology)
  return positions ? [...subTopology.stores, positions] : subTopology.stores
}

/** A topic that was deleted and made again begins at 0: its id tells it apart. */
export function positionKey(topic: string, topicId: string): string {
  return `${topic}|${topicId}`
}

const offsetSerde: Serde<number> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (offset: number) => Buffer.from(String(offset)),
  deserialize: (bytes: Buffer) => Number(bytes.toString('latin1')),
})
