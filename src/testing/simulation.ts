import { type Random, seededRandom } from '../random.ts'
import type { KafkaCluster } from '../runtime/ports.ts'
import { FaultInjector, type FaultRates, noFaults } from './fault-injector.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryBroker } from './memory-broker.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { Network } from './network.ts'
import { SimulatedProcess } from './simulated-process.ts'
import { type RunEnd, type RunOptions, SimulationScheduler } from './simulation-scheduler.ts'
import { Story } from './story.ts'

export interface SimulationOptions {
  /** Equal seeds make equal runs. */
  readonly seed: number
  /** @default noFaults */
  readonly faultRates?: FaultRates
  /** When a client gives up a request, milliseconds. @default 5000 */
  readonly requestTimeoutMs?: number
}

/**
 * A world of processes around one cluster, with time and chance of its own. Use: `connect` a process, give its parts (clock, random,
 * cluster) to the code under test, `run`, and look at `broker`; when something is wrong, print the `story`.
 */
export class Simulation {
  readonly clock = new ManualClock()
  readonly story = new Story(this.clock)
  readonly random: Random
  readonly faults: FaultInjector
  readonly network: Network
  readonly broker: MemoryBroker
  readonly scheduler = new SimulationScheduler(this.clock)
  readonly #requestTimeoutMs: number

  constructor({ seed, faultRates = noFaults, requestTimeoutMs = 5000 }: SimulationOptions) {
    this.random = seededRandom(seed)
    this.faults = new FaultInjector(this.clock, this.random, faultRates)
    this.network = new Network(this.clock, this.random, this.faults, this.story)
    this.broker = new MemoryBroker(this.network)
    this.#requestTimeoutMs = requestTimeoutMs
  }

  /** A new life of a process. The id names it in the story and in faults; a second life may have the same. */
  startProcess(id: string): SimulatedProcess {
    this.story.tell(id, 'starts')
    return new SimulatedProcess(id, this.clock, this.story)
  }

  /** The process's door to the cluster. */
  connect(process: SimulatedProcess): KafkaCluster {
    const { network } = this
    return new MemoryCluster(this.broker, {
      process,
      network,
      requestTimeoutMs: this.#requestTimeoutMs,
    })
  }

  /** See `SimulationScheduler.run`. */
  run(options?: RunOptions): Promise<RunEnd> {
    return this.scheduler.run(options)
  }

  /** Runs until the promise has settled; see `SimulationScheduler.settle`. */
  settle<T>(promise: Promise<T>, options?: Omit<RunOptions, 'until'>): Promise<T> {
    return this.scheduler.settle(promise, options)
  }
}
