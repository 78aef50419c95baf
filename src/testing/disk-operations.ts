import { StreamsError } from '../errors.ts'
import type { Network } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/**
 * How one process reaches its disk: every operation takes a while, and one that is under way when the process dies has been
 * done or not, by chance, at the moment of death: nothing of a dead process is written later.
 */
export class DiskOperations {
  readonly #process: SimulatedProcess
  readonly #network: Network
  readonly #isFull: () => boolean
  /** Writes under way, oldest first. */
  readonly #underWay = new Set<() => void>()

  constructor(process: SimulatedProcess, network: Network, isFull: () => boolean) {
    this.#process = process
    this.#network = network
    this.#isFull = isFull
    process.onKill(() => {
      // The kernel takes them in order: those before some point were done.
      for (const write of this.#underWay) {
        if (network.random.next() < 0.5) break
        write()
      }
      this.#underWay.clear()
    })
  }

  read<T>(read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#process.clock.schedule(this.#network.latencyMs(), () => settle(read, resolve, reject))
    })
  }

  /** Rejects with DISK_FULL and writes nothing where there is no room. */
  write(write: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#underWay.add(write)
      this.#network.clock.schedule(this.#network.latencyMs(), () => {
        if (!this.#underWay.delete(write)) return
        const act = (): void => {
          if (this.#isFull()) throw new StreamsError('DISK_FULL', 'the simulated disk is full')
          write()
        }
        settle(
          act,
          () => this.#process.clock.schedule(this.#network.latencyMs(), resolve),
          error => this.#process.deliver(() => reject(error)),
        )
      })
    })
  }
}

function settle<T>(
  act: () => T,
  resolve: (value: T) => void,
  reject: (error: Error) => void,
): void {
  let value: T
  try {
    value = act()
  } catch (error) {
    reject(error as Error)
    return
  }
  resolve(value)
}
