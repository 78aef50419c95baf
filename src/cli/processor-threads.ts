import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import { connectKafka } from '../kafka/connect-kafka.ts'
import type { Logger } from '../log.ts'
import { renderMetrics } from '../metric-snapshot.ts'
import type { Random } from '../random.ts'
import type { Configuration, GivenSettings } from './configuration.ts'
import type { Health } from './http-server.ts'
import { kafkaOptions } from './kafka-options.ts'
import { openInstance } from './open-instance.ts'
import { configuredRelays } from './open-relays.ts'
import type { ProcessorThreadPlace } from './processor.ts'
import type { QueryAnswer } from './request-queries.ts'
import { refuseTakeOver, stagedHealth } from './staging.ts'
import { takeReports } from './take-reports.ts'
import type { ThreadPort } from './thread-messages.ts'
import { ThreadSupervisor } from './thread-supervisor.ts'

/** What a thread is told at its start: plain data. */
export interface ThreadStart {
  readonly given: GivenSettings
  readonly acceptLostState: boolean
  readonly takeOver: boolean
  readonly place: ProcessorThreadPlace
  /** Where the process answers, as the others of the group are told. */
  readonly advertisedHttp: string | undefined
}

export interface ProcessorThreadsOptions extends Pick<ThreadStart, 'given' | 'acceptLostState'> {
  readonly configuration: Configuration
  readonly takeOver: boolean
  readonly startThread: (start: ThreadStart) => ThreadPort
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** One instance whose work is done by several threads. This one has what a process has once, and does none of the work. */
export class ProcessorThreads {
  readonly #options: ProcessorThreadsOptions
  #supervisor: ThreadSupervisor | undefined
  #advertisedHttp: string | undefined
  #stopWithinMs: number | undefined
  #failure: unknown

  constructor(options: ProcessorThreadsOptions) {
    this.#options = options
  }

  health(): Health {
    return stagedHealth(this.#health(), this.#options.configuration)
  }

  #health(): Health {
    if (this.#failure !== undefined)
      return { healthy: false, ready: false, text: `failed: ${describeError(this.#failure)}` }
    if (this.#stopWithinMs !== undefined) return { healthy: true, ready: false, text: 'stopping' }
    return this.#supervisor?.health() ?? { healthy: true, ready: false, text: 'starting' }
  }

  /** Where the others of the group find what `query` answers, HOST:PORT; before `run`. */
  advertise(address: string): void {
    this.#advertisedHttp = address
  }

  async query(path: string): Promise<QueryAnswer | undefined> {
    if (this.#supervisor === undefined) return { status: 503, body: { error: 'not running yet' } }
    return this.#supervisor.query(path, this.#advertisedHttp)
  }

  async metrics(): Promise<string> {
    return renderMetrics((await this.#supervisor?.measured()) ?? [])
  }

  /** Runs until `stop`. Rejects with what ended the first thread, when all are gone. */
  async run(): Promise<void> {
    try {
      await this.#run()
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** Every thread takes no more records, brings what is under way to an end, leaves the group: within the time, milliseconds. */
  stop(withinMs: number): Promise<void> {
    this.#stopWithinMs = withinMs
    this.#supervisor?.stop(withinMs)
    return Promise.resolve()
  }

  async #run(): Promise<void> {
    const { configuration, takeOver, clock, log } = this.#options
    refuseTakeOver(configuration, takeOver)
    await using resources = new AsyncDisposableStack()
    const relays = await configuredRelays(configuration)
    const { instanceId } = await openInstance(this.#options, relays, resources)
    if (configuration.lmtp !== undefined) {
      const cluster = resources.use(connectKafka(await kafkaOptions(configuration, clock, log)))
      await takeReports({ configuration, instanceId, cluster, clock, log }, resources)
    }
    if (this.#stopWithinMs !== undefined) return
    this.#supervisor = this.#supervise(instanceId)
    await this.#supervisor.run()
  }

  #supervise(instanceId: string): ThreadSupervisor {
    const { configuration, startThread, clock, log } = this.#options
    const { given, acceptLostState, takeOver } = this.#options
    const { threads } = configuration
    const sinceMs = clock.nowMs()
    const advertisedHttp = this.#advertisedHttp
    return new ThreadSupervisor({
      threads,
      startThread: index => {
        const place = { index, threads, instanceId, sinceMs }
        return startThread({ given, acceptLostState, takeOver, place, advertisedHttp })
      },
      onFirstReady: () => log.info({ event: 'running' }, 'every assigned task is running'),
      restMs: configuration.shutdownTimeout,
      clock,
      log,
    })
  }
}
