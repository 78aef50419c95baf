import { StreamsError } from '../errors.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** Which worker has which store of a simulated disk open. */
export class StoreHolders {
  readonly #holders = new Map<string, SimulatedProcess>()

  /** Throws STATE_LOCKED where this worker has it, STORE_IN_USE where a living sibling has it. */
  take(path: string, process: SimulatedProcess): void {
    const holder = this.#holders.get(path)
    if (holder === process)
      throw new StreamsError('STATE_LOCKED', `the store ${path} is open already`)
    if (holder?.alive === true)
      throw new StreamsError('STORE_IN_USE', `the worker ${holder.id} has the store ${path} open`)
    this.#holders.set(path, process)
  }

  release(path: string, process: SimulatedProcess): void {
    if (this.#holders.get(path) === process) this.#holders.delete(path)
  }
}
