import { StreamsError } from '../errors.ts'
import type { Journal } from '../effects/journal.ts'
import type { MemoryStoreBackend } from '../state/memory-store-backend.ts'
import type { StateDirectory } from '../state/store.ts'
import { DiskOperations } from './disk-operations.ts'
import type { Network } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { type JournalEntries, SimulatedJournal } from './simulated-journal.ts'
import { SimulatedStateDirectory } from './simulated-state-directory.ts'
import { StoreHolders } from './store-holders.ts'

/** What lies on the disk, whoever has it. */
export interface DiskContents {
  readonly stores: Map<string, MemoryStoreBackend>
  readonly remembered: Map<string, string>
  /** Stores that cannot be read any more. */
  readonly corrupted: Set<string>
  /** By worker. */
  readonly journals: Map<number, JournalEntries>
}

/**
 * The disk of one machine: it outlives its processes. What was applied is there after a kill; what was being applied is there
 * as a whole or not at all, by chance. One live process at a time has it; its workers die alone, and are processes of their own here.
 */
export class SimulatedDisk {
  readonly #network: Network
  #owners: SimulatedProcess[] = []
  #household: string | undefined
  readonly #holders = new StoreHolders()
  #contents: DiskContents = emptyDisk()
  /** Every write fails with DISK_FULL while it is set. */
  full = false

  constructor(network: Network) {
    this.#network = network
  }

  /**
   * The state directory of this process, or of this worker of a process: workers that name the same household have it together.
   * Throws STATE_LOCKED while another live process has it.
   */
  mount(process: SimulatedProcess, household?: string): StateDirectory {
    const others = this.#owners.filter(each => each !== process && each.alive)
    if (others.length > 0 && (household === undefined || household !== this.#household))
      throw new StreamsError('STATE_LOCKED', `the live process ${others[0]!.id} has this disk`)
    this.#owners = [...others, process]
    this.#household = household
    const release = (): void => {
      this.#owners = this.#owners.filter(each => each !== process)
    }
    return new SimulatedStateDirectory({
      contents: this.#contents,
      holders: this.#holders,
      process,
      operations: this.#operations(process),
      release,
    })
  }

  /** The journal of a worker of the instance that has mounted the disk, with the evidence of its former lives. */
  openJournal(process: SimulatedProcess, worker = 0): Journal {
    const { journals } = this.#contents
    const journal: JournalEntries = journals.get(worker) ?? new Map()
    journals.set(worker, journal)
    return new SimulatedJournal({ journal }, this.#operations(process))
  }

  /** Everything on it is gone: another machine, an emptied directory. Nobody may have it. */
  lose(): void {
    this.#network.story.tell('disk', 'lost')
    this.#contents = emptyDisk()
  }

  /** The store cannot be opened any more, or read where it is open, until it is destroyed. */
  corrupt(taskId: string, storeName: string): void {
    this.#network.story.tell('disk', `${taskId}/${storeName} corrupted`)
    this.#contents.corrupted.add(`${taskId}/${storeName}`)
  }

  /** What is on it, for tests to compare with. */
  get contents(): DiskContents {
    return this.#contents
  }

  #operations(process: SimulatedProcess): DiskOperations {
    return new DiskOperations(process, this.#network, () => this.full)
  }
}

function emptyDisk(): DiskContents {
  return { stores: new Map(), remembered: new Map(), corrupted: new Set(), journals: new Map() }
}
