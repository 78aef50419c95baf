import type { StoreBackend, StoreDefinition } from '../state/store.ts'
import type { SubTopology, Topology } from '../topology/topology.ts'
import { partitionForKey } from '../topology/partitioner.ts'
import { taskIdOf } from './task-group.ts'
import type { InstanceInfo, Instances } from './instances.ts'
import type { Task } from './task.ts'
import type { TopicCatalog } from './topic-catalog.ts'

/** A part of a store that this instance has, as it was last committed. */
export interface OwnedStore {
  readonly definition: StoreDefinition
  readonly backend: Pick<StoreBackend, 'getMany' | 'scan'>
}

/** Who has the part of a store that a record key belongs to. */
export type StoreOwner =
  | { readonly isHere: true; readonly store: OwnedStore }
  /** `http` is undefined when it is not known where to ask, for example in a rebalance. */
  | { readonly isHere: false; readonly http: string | undefined }

export interface StoreQueriesParts {
  readonly topology: Topology
  readonly catalog: TopicCatalog
  readonly instances: Instances
  readonly tasks: () => readonly Task[]
}

/**
 * Reads the stores of the running tasks from outside the loop: only what has been committed, so an answer may be a commit old
 * and is never one that is taken back.
 */
export class StoreQueries {
  readonly #parts: StoreQueriesParts

  constructor(parts: StoreQueriesParts) {
    this.#parts = parts
  }

  /** Where this instance answers, as the others are told. */
  get instance(): string | undefined {
    return this.#parts.instances.own
  }

  /** Everybody who answers. */
  get instances(): readonly InstanceInfo[] {
    return this.#parts.instances.all
  }

  ownerOf(storeName: string, recordKey: Buffer): StoreOwner {
    const { catalog, instances } = this.#parts
    const subTopology = this.#subTopologyOf(storeName)
    if (subTopology === undefined) return { isHere: false, http: undefined }
    const partition = partitionForKey(recordKey, catalog.taskCount(subTopology))
    const id = taskIdOf(subTopology.name, partition)
    const task = this.#running().find(each => each.id === id)
    const store = task?.stores.get(storeName)
    return store ? { isHere: true, store } : { isHere: false, http: instances.ownerOf(id) }
  }

  /** The parts of a store that are here. */
  partsOf(storeName: string): readonly OwnedStore[] {
    return this.#running().flatMap(task => task.stores.get(storeName) ?? [])
  }

  /** Into how many parts the store is divided; 0 when there is none of this name. */
  partitionsOf(storeName: string): number {
    const subTopology = this.#subTopologyOf(storeName)
    return subTopology ? this.#parts.catalog.taskCount(subTopology) : 0
  }

  #running(): readonly Task[] {
    return this.#parts.tasks().filter(each => each.state === 'running')
  }

  #subTopologyOf(storeName: string): SubTopology | undefined {
    return this.#parts.topology.subTopologies.find(({ stores }) =>
      stores.some(each => each.name === storeName),
    )
  }
}
