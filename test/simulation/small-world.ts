import { sleep } from '../../src/clock.ts'
import type { Logger } from '../../src/log.ts'
import { Streams } from '../../src/runtime/streams.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { RelayInMemory, sinkOf } from './relay-in-memory.ts'
import { smallTopics, smallTopology } from './small-topology.ts'

interface Machine {
  readonly disk: SimulatedDisk
  process: SimulatedProcess | undefined
  streams: Streams | undefined
}

/** A few machines that run the small topology, a relay, and a business system that repeats itself. */
export class SmallWorld {
  readonly simulation: Simulation
  readonly relay: RelayInMemory
  readonly failures: unknown[] = []
  readonly published = new Set<string>()
  readonly #machines = new Map<string, Machine>()
  readonly #inDoubt: 'hold' | 'resend'

  constructor(seed: number, inDoubt: 'hold' | 'resend' = 'hold') {
    this.simulation = new Simulation({ seed })
    this.relay = new RelayInMemory(this.simulation.random)
    this.#inDoubt = inDoubt
    for (const name of smallTopics)
      this.simulation.broker.createTopic({ name, partitions: 2, configs: {} })
  }

  publish(request: string): void {
    this.published.add(request)
    const { random, clock } = this.simulation
    // By identity, as a keyed producer does: so a repeat meets its first in one partition.
    const partition = request.length % 2
    this.simulation.broker.append([
      {
        topic: 'requests',
        partition,
        key: Buffer.from(request),
        value: Buffer.from(request),
        headers: [],
        timestampMs: clock.nowMs(),
      },
    ])
    void random
  }

  start(name: string): void {
    const { simulation } = this
    const machine: Machine = this.#machines.get(name) ?? {
      disk: new SimulatedDisk(simulation.network),
      process: undefined,
      streams: undefined,
    }
    this.#machines.set(name, machine)
    const process = simulation.startProcess(name)
    machine.process = process
    const worldSleep = (ms: number) => sleep(simulation.clock, ms)
    const streams = new Streams(
      smallTopology(sinkOf(this.relay, process, worldSleep), this.#inDoubt),
      { applicationId: 'app', instanceId: name },
      {
        cluster: simulation.connect(process),
        stateDirectory: machine.disk.mount(process),
        journal: machine.disk.openJournal(process),
        clock: process.clock,
        random: simulation.random,
        log: this.#logOf(name),
      },
    )
    machine.streams = streams
    streams.run().catch((error: unknown) => {
      this.failures.push(error)
      simulation.story.tell(name, `failed: ${String(error)}`)
    })
  }

  kill(name: string): void {
    this.#machines.get(name)?.process?.kill()
  }

  pause(name: string): void {
    this.#machines.get(name)?.process?.pause()
  }

  resume(name: string): void {
    this.#machines.get(name)?.process?.resume()
  }

  stop(name: string): Promise<void> {
    return this.#machines.get(name)!.streams!.stop(20_000)
  }

  get ready(): boolean {
    return [...this.#machines.values()].every(each => !each.process?.alive || each.streams?.isReady)
  }

  loseDiskIfAny(name: string): void {
    this.#machines.get(name)?.disk.lose()
  }

  /** Committed records of a topic, as a read_committed subscriber sees them. */
  committed(topic: string): string[] {
    const { broker } = this.simulation
    return [0, 1].flatMap(partition =>
      broker
        .log({ topic, partition })
        .readCommitted(0, Infinity)!
        .records.map(record => record.value!.toString()),
    )
  }

  #logOf(name: string): Logger {
    const say = (fields: Readonly<Record<string, unknown>>, message = '') =>
      this.simulation.story.tell(name, `${message} ${JSON.stringify(fields)}`)
    return { debug: say, info: say, warn: say, error: say }
  }
}
