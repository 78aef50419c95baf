import { sleep } from '../../src/clock.ts'
import type { Logger } from '../../src/log.ts'
import { Streams, type StreamsEnvironment } from '../../src/runtime/streams.ts'
import type { StreamsSettings } from '../../src/runtime/streams-options.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import type { Topology } from '../../src/topology/topology.ts'
import { RelayInMemory, sinkOf } from '../simulation/relay-in-memory.ts'
import { smallTopics, smallTopology } from '../simulation/small-topology.ts'

export interface LogLine {
  readonly [field: string]: unknown
}

/** One life of one instance. */
export interface Life {
  readonly process: SimulatedProcess
  readonly streams: Streams
  readonly logged: LogLine[]
  /** What ended it; undefined while it runs or when it was stopped. */
  failure: unknown
  /** It has come to an end by itself or by `stop`. */
  over: boolean
}

export interface LifeOptions {
  readonly settings?: Partial<StreamsSettings>
  readonly topology?: Topology
  readonly environment?: Partial<StreamsEnvironment>
  /** Where its journal lies, if not on the machine's own disk. */
  readonly journalDisk?: SimulatedDisk
  /** The world whose machine of that name it runs on, disk and all. */
  readonly machineOf?: HardWorld
}

/** A cluster, a relay that counts, and machines with disks, on each of which one instance lives after the other. */
export class HardWorld {
  readonly simulation: Simulation
  readonly relay: RelayInMemory
  readonly #disks = new Map<string, SimulatedDisk>()

  /** Worlds of different seeds have nothing in common, topic ids included. */
  constructor(seed = 7, topics: readonly string[] = smallTopics) {
    this.simulation = new Simulation({ seed })
    this.relay = new RelayInMemory(this.simulation.random)
    for (const name of topics) this.createTopic(name)
  }

  createTopic(name: string, configs: Readonly<Record<string, string>> = {}): void {
    this.simulation.broker.createTopic({ name, partitions: 2, configs })
  }

  disk(machine: string): SimulatedDisk {
    const disk = this.#disks.get(machine) ?? new SimulatedDisk(this.simulation.network)
    this.#disks.set(machine, disk)
    return disk
  }

  publish(request: string): void {
    this.#append('requests', request.length % 2, Buffer.from(request))
  }

  /** To the plain topology. */
  publishAt(partition: number, value: string): void {
    this.#append('in', partition, Buffer.from(value))
  }

  /** What goes to the dead letters and nowhere else. */
  publishNull(): void {
    this.#append('requests', 0, null)
  }

  #append(topic: string, partition: number, value: Buffer | null): void {
    const timestampMs = this.simulation.clock.nowMs()
    const record = { topic, partition, key: value, value, headers: [], timestampMs }
    this.simulation.broker.append([record])
  }

  start(machine: string, options: LifeOptions = {}): Life {
    const { settings, topology, environment, journalDisk, machineOf } = options
    const disk = (machineOf ?? this).disk(machine)
    const { simulation, relay } = this
    const process = simulation.startProcess(machine)
    const worldSleep = (ms: number) => sleep(simulation.clock, ms)
    const logged: LogLine[] = []
    const streams = new Streams(
      topology ?? smallTopology(sinkOf(relay, process, worldSleep), 'hold'),
      { applicationId: 'app', instanceId: machine, ...settings },
      {
        cluster: simulation.connect(process),
        stateDirectory: disk.mount(process),
        journal: (journalDisk ?? disk).openJournal(process),
        clock: process.clock,
        random: simulation.random,
        log: loggerInto(logged),
        ...environment,
      },
    )
    const life: Life = { process, streams, logged, failure: undefined, over: false }
    streams
      .run()
      .catch((error: unknown) => (life.failure = error))
      .finally(() => (life.over = true))
    return life
  }

  /** Until it is true; fails after ten simulated minutes. */
  async until(what: () => boolean, withinMs = 600_000): Promise<void> {
    await this.simulation.run({ until: what, withinMs })
    if (what()) return
    throw new Error(`it never came to be: ${String(what)}\n${String(this.simulation.story)}`)
  }

  async pass(milliseconds: number): Promise<void> {
    await this.simulation.run({ withinMs: milliseconds })
  }

  /** Drains and ends it, as SIGTERM does; its disk can be mounted again. */
  async stop(life: Life): Promise<void> {
    await this.simulation.settle(life.streams.stop(20_000))
    life.process.kill()
  }

  /** Values of the committed records of a topic, as a read_committed subscriber sees them. */
  committed(topic: string): string[] {
    return [0, 1].flatMap(partition =>
      this.log(topic, partition)
        .readCommitted(this.log(topic, partition).startOffset, Infinity)!
        .records.map(record => record.value?.toString() ?? ''),
    )
  }

  /** Headers of the committed records as text. */
  headersOf(topic: string): Record<string, string>[] {
    return [0, 1].flatMap(partition =>
      this.log(topic, partition)
        .readCommitted(0, Infinity)!
        .records.map(({ headers }) =>
          Object.fromEntries(headers.map(({ key, value }) => [key, value?.toString() ?? ''])),
        ),
    )
  }

  log(topic: string, partition: number) {
    return this.simulation.broker.log({ topic, partition })
  }
}

function loggerInto(lines: LogLine[]): Logger {
  const say = (fields: Readonly<Record<string, unknown>>, message = '') =>
    void lines.push({ ...fields, message })
  return { debug: say, info: say, warn: say, error: say }
}
