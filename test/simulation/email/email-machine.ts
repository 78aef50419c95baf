import type { Delivery } from '../../../src/effects/delivery.ts'
import { emailTopology } from '../../../src/email/email-topology.ts'
import { EnvelopeIds } from '../../../src/email/envelope-ids.ts'
import type { Logger } from '../../../src/log.ts'
import type { Guarantee } from '../../../src/runtime/committer.ts'
import type { KafkaCluster, RecordProducer } from '../../../src/runtime/ports.ts'
import { Streams } from '../../../src/runtime/streams.ts'
import type { StreamsOptions } from '../../../src/runtime/streams-options.ts'
import { RelayRouter } from '../../../src/sinks/relay-router.ts'
import { SimulatedDisk } from '../../../src/testing/simulated-disk.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'
import type { Simulation } from '../../../src/testing/simulation.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import type { Alteration } from './alterations.ts'
import type { DrawnLimits } from './drawn-limits.ts'
import { observedProducer } from './observed-producer.ts'
import type { RelaySite } from './relay-sites.ts'
import { RelaySink, type RelayWorld } from './relay-sink.ts'
import type { WebhookReceiver } from './webhook-receiver.ts'

export const applicationId = 'mailonce'
/** Few and short, so that they run out now and then. */
export const retryDelaysMs: readonly number[] = [300, 900]
/** Of the mails of all machines. */
export const envelopeIds = new EnvelopeIds('a key that nobody guesses')
const outboxChangelog = `${applicationId}-outbox-changelog`

export interface MachineWorld {
  readonly simulation: Simulation
  readonly relayWorld: RelayWorld
  readonly receiver: WebhookReceiver
  readonly sites: readonly RelaySite[]
  readonly inDoubt: 'hold' | 'resend'
  readonly windowMs: number
  readonly standbys: Pick<StreamsOptions, 'standbys' | 'acceptableLag'>
  readonly alteration: Alteration
  /** Of the next life of a machine. */
  readonly drawGuarantee: () => Guarantee
  readonly limits: DrawnLimits
  readonly logOf: (name: string) => Logger
  /** It is about to be written; if it is at an attempt its transaction 1 begins. */
  readonly onDelivery: (machine: EmailMachine, delivery: Delivery) => void
  /** `run` has ended: with an error, or because it was told to. */
  readonly onEnd: (machine: EmailMachine, error: unknown) => void
}

/**
 * One machine: a disk that stays, and one process after another that runs the product on it. Or one more thread of another machine's process:
 * it dies and pauses alone, and has that one's disk.
 */
export class EmailMachine {
  readonly name: string
  readonly disk: SimulatedDisk
  /** The threads of its process, itself among them. */
  readonly threads: readonly EmailMachine[]
  readonly #world: MachineWorld
  readonly #index: number
  #sinceMs = 0
  #process: SimulatedProcess | undefined
  #streams: Streams | undefined

  constructor(name: string, world: MachineWorld, first?: EmailMachine) {
    this.name = name
    this.disk = first?.disk ?? new SimulatedDisk(world.simulation.network)
    const threads = (first?.threads ?? []) as EmailMachine[]
    this.#index = threads.length
    threads.push(this)
    this.threads = threads
    this.#world = world
  }

  get isUp(): boolean {
    return this.#process?.alive === true
  }

  get isPaused(): boolean {
    return this.#process?.status === 'paused'
  }

  /** Its present life, or its last. */
  get process(): SimulatedProcess | undefined {
    return this.#process
  }

  /** Of its present life, or its last. */
  get streams(): Streams | undefined {
    return this.#streams
  }

  start(): void {
    const { receiver, simulation, inDoubt, windowMs, alteration, limits, logOf } = this.#world
    const process = simulation.startProcess(this.name)
    const [first] = this.threads
    const alive = this.threads.find(each => each.isUp)
    this.#sinceMs = alive === undefined ? simulation.clock.nowMs() : alive.#sinceMs
    const own = {
      cluster: this.#observed(simulation.connect(process)),
      stateDirectory: this.disk.mount(process, first!.name),
      journal: this.disk.openJournal(process, this.#index),
      clock: process.clock,
      sink: this.#router(process),
    }
    const parts = alteration.parts?.(own, { simulation, process }) ?? own
    const { cluster, stateDirectory, journal, clock, sink } = parts
    const topology = emailTopology({
      serdes: plainSerdes,
      sink,
      dedupWindowMs: windowMs,
      outcomesKeptMs: 2 * 24 * 3_600_000,
      inDoubt,
      retryDelaysMs,
      ...limits,
      webhooks: { sink: receiver.sinkOf(process), retryDelaysMs: [500, 2000] },
      bounces: { envelopeIds, suppress: 'none', byMessageId: true },
    })
    const streams = new Streams(
      alteration.topology?.(topology) ?? topology,
      {
        applicationId,
        instanceId: first!.name,
        workerIndex: this.#index,
        instanceSinceMs: this.#sinceMs,
        guarantee: this.#world.drawGuarantee(),
        ...this.#world.standbys,
      },
      {
        cluster,
        stateDirectory,
        journal,
        clock,
        random: simulation.random,
        log: logOf(this.name),
      },
    )
    this.#process = process
    this.#streams = streams
    const end = (error: unknown): void => {
      process.kill()
      this.#world.onEnd(this, error)
    }
    streams.run().then(() => end(undefined), end)
  }

  /** SIGKILL, or the death of one of several threads. */
  kill(): void {
    this.#process?.kill()
  }

  /** SIGKILL, whatever it is. */
  killAll(): void {
    for (const thread of this.threads) thread.kill()
  }

  /** SIGTERM. */
  stop(): void {
    void this.#streams?.stop(20_000)
  }

  pause(machine: 'awake' | 'suspended'): void {
    this.#process?.pause(machine)
  }

  resume(): void {
    this.#process?.resume()
  }

  #router(process: SimulatedProcess): RelayRouter {
    const { simulation, relayWorld, sites, logOf } = this.#world
    const relays = sites.map(site => ({
      name: site.address,
      address: site.address,
      sink: new RelaySink(relayWorld, process, site),
      weight: 1,
      perSecond: site.address.startsWith('second') ? 20 : Infinity,
      formerly: new Set<string>(),
      senderDomains: new Set<string>(),
      tags: new Set<string>(),
    }))
    return new RelayRouter({
      relays,
      from: 'mailonce@localhost',
      clock: process.clock,
      random: simulation.random,
      log: logOf(this.name),
    })
  }

  #observed(cluster: KafkaCluster): KafkaCluster {
    const observed = <Producer extends RecordProducer>(producer: Producer): Producer =>
      observedProducer(producer, outboxChangelog, delivery =>
        this.#world.onDelivery(this, delivery),
      )
    return {
      admin: cluster.admin,
      createFetcher: options => cluster.createFetcher(options),
      createMember: options => cluster.createMember(options),
      createProducer: options => observed(cluster.createProducer(options)),
      createIdempotentProducer: options => observed(cluster.createIdempotentProducer(options)),
      close: () => cluster.close(),
      [Symbol.asyncDispose]: () => cluster.close(),
    }
  }
}
