import type { Clock } from '../clock.ts'
import { FileJournal } from '../effects/journal.ts'
import { emailTopology } from '../email/email-topology.ts'
import type { EmailSerdes } from '../email/topics.ts'
import { describeError } from '../errors.ts'
import { connectKafka } from '../kafka/connect-kafka.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import { FileProcessingMarks } from '../runtime/file-processing-marks.ts'
import type { KafkaCluster } from '../runtime/ports.ts'
import { type RestoreState, restoreText } from '../runtime/restore-progress.ts'
import { RuntimeMetrics } from '../runtime/runtime-metrics.ts'
import type { StreamsSettings } from '../runtime/streams-options.ts'
import { Streams } from '../runtime/streams.ts'
import { type MetricSnapshot, renderMetrics } from '../metric-snapshot.ts'
import type { MailRequest } from '../sinks/mail-request.ts'
import type { Sink } from '../sinks/sink.ts'
import { WebhookSink } from '../sinks/webhook-sink.ts'
import { bounceSettings } from './bounce-settings.ts'
import type { Configuration } from './configuration.ts'
import { dkimOptions } from './dkim-options.ts'
import type { Health } from './http-server.ts'
import { kafkaOptions } from './kafka-options.ts'
import { createLaterTopics } from './later-topics.ts'
import {
  type ConfiguredRelay,
  configuredRelays,
  openRouter,
  type RouterParts,
} from './open-relays.ts'
import { type Instance, joinInstanceDirectory, openInstance } from './open-instance.ts'
import { openSerdes } from './open-serdes.ts'
import { patiently } from './patiently.ts'
import { answerQuery, type QueryAnswer } from './request-queries.ts'
import { refuseSecondDeployment } from './second-deployment.ts'
import {
  instanceApplicationId,
  refuseTakeOver,
  showStaging,
  stagingSink,
  stagedHealth,
  stagingWebhooks,
} from './staging.ts'
import { takeReports } from './take-reports.ts'
import { threadFiles } from './thread-files.ts'
import type { ThreadPlace } from './thread-share.ts'
import { webhookSinkOptions } from './webhook-section.ts'

/** Where a processor stands that is one of several threads: the process has an instance already, and this is a part of it. */
export interface ProcessorThreadPlace extends ThreadPlace {
  readonly instanceId: string
  /** When the process started, wall clock, milliseconds. */
  readonly sinceMs: number
}

export interface ProcessorOptions {
  readonly configuration: Configuration
  /** Starts with empty stores where their changelogs are gone. */
  readonly acceptLostState: boolean
  /** Starts although another application id has worked on these topics. */
  readonly takeOver: boolean
  /** Left out by the only thread of its process. */
  readonly place?: ProcessorThreadPlace
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** One worker of the flagship topology with everything around it: what `run` and `dev` run, or each thread of `run`. */
export class Processor {
  readonly #options: ProcessorOptions
  readonly #metrics = new RuntimeMetrics()
  readonly #stopping = new AbortController()
  #phase = 'starting'
  #streams: Streams | undefined
  #advertisedHttp: string | undefined
  #failure: unknown

  constructor(options: ProcessorOptions) {
    this.#options = options
  }

  health(): Health {
    return stagedHealth(this.#health(), this.#options.configuration)
  }

  #health(): Health {
    if (this.#failure !== undefined) {
      return { healthy: false, ready: false, text: `failed: ${describeError(this.#failure)}` }
    }
    if (this.#stopping.signal.aborted) return { healthy: true, ready: false, text: 'stopping' }
    if (this.#streams === undefined) return { healthy: true, ready: false, text: this.#phase }
    const { isReady: ready, tablesWaitedFor } = this.#streams
    const waiting =
      tablesWaitedFor.length > 0
        ? `joining the group once ${tablesWaitedFor.join(', ')} has been read`
        : this.restoring === undefined
          ? 'joining the group and restoring'
          : restoreText(this.restoring)
    return { healthy: true, ready, text: ready ? 'running' : waiting }
  }

  /** How far the restores under way are; undefined when there is none. */
  get restoring(): RestoreState | undefined {
    return this.#streams?.restoring
  }

  /** Where the others of the group find what `query` answers, HOST:PORT; before `run`. */
  advertise(address: string): void {
    this.#advertisedHttp = address
  }

  async query(path: string): Promise<QueryAnswer | undefined> {
    return answerQuery(path, this.#streams?.queries)
  }

  async metrics(): Promise<string> {
    return renderMetrics(await this.measured())
  }

  async measured(): Promise<readonly MetricSnapshot[]> {
    await this.#streams?.observe()
    return this.#metrics.registry.snapshot()
  }

  /** Runs until `stop`. Rejects with what ended it; what passes by itself is waited for, unready. */
  async run(): Promise<void> {
    try {
      await this.#run()
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** Takes no more records, brings what is under way to an end, leaves the group: within the time, milliseconds. */
  async stop(withinMs: number): Promise<void> {
    this.#stopping.abort()
    await this.#streams?.stop(withinMs)
  }

  async #run(): Promise<void> {
    const { configuration, place, clock, random, log, takeOver } = this.#options
    refuseTakeOver(configuration, takeOver)
    const applicationId = instanceApplicationId(configuration)
    await using resources = new AsyncDisposableStack()
    const relays = await configuredRelays(configuration)
    const webhookOptions = await webhookSinkOptions(configuration.webhooks)
    const dkim = await dkimOptions(configuration.dkim)
    const kafka = await kafkaOptions(configuration, clock, log)
    const { envelopeIdOf, bounces } = await bounceSettings(configuration)
    const { stateDirectory, instanceId } = await this.#openInstance(relays, resources)
    showStaging(this.#metrics.registry, configuration)
    const files = threadFiles(stateDirectory, place?.index ?? 0)
    const journal = resources.use(await FileJournal.open(files.journal, clock))
    const processingMarks = resources.use(new FileProcessingMarks(files.processing))
    const serdes = await this.#serdes(files.schemas)
    if (serdes === undefined) return
    const sink = resources.use(this.#mailSink(relays, { dkim, envelopeIdOf }))
    const webhookSink = new WebhookSink({ ...webhookOptions, clock })
    const webhooks = resources.use(stagingWebhooks(webhookSink, configuration))
    const cluster = resources.use(connectKafka(kafka))
    if (place === undefined)
      await takeReports({ configuration, instanceId, cluster, clock, log }, resources)
    const topology = emailTopology({
      serdes,
      sink,
      dedupWindowMs: configuration.dedupWindow,
      outcomesKeptMs: configuration.outcomesKept,
      inDoubt: configuration.inDoubt,
      retryDelaysMs: configuration.retry,
      limits: configuration.limits.traffic,
      outboxLimit: configuration.limits.outbox,
      webhooks: {
        sink: webhooks,
        retryDelaysMs: configuration.webhooks.retry,
        hostConnections: configuration.webhooks.hostConnections,
      },
      ...(bounces && { bounces }),
    })
    const streams = new Streams(
      topology,
      { applicationId, instanceId, ...this.#settings(cluster, applicationId) },
      {
        cluster,
        stateDirectory,
        journal,
        processingMarks,
        clock,
        random,
        log,
        metrics: this.#metrics,
      },
    )
    // Of several threads the last to be ready makes the process ready: that is not for one of them to say.
    if (place === undefined)
      streams.onFirstReady(() => log.info({ event: 'running' }, 'every assigned task is running'))
    this.#streams = streams
    if (this.#stopping.signal.aborted) return
    await streams.run()
  }

  async #openInstance(
    relays: readonly ConfiguredRelay[],
    resources: AsyncDisposableStack,
  ): Promise<Instance> {
    const { place } = this.#options
    if (place === undefined) return openInstance(this.#options, relays, resources)
    const stateDirectory = resources.use(await joinInstanceDirectory(this.#options))
    return { stateDirectory, instanceId: place.instanceId }
  }

  #mailSink(
    relays: readonly ConfiguredRelay[],
    mails: Pick<RouterParts, 'dkim' | 'envelopeIdOf'>,
  ): Sink<MailRequest> {
    const { configuration, clock, random, log } = this.#options
    const { from, retryClasses: replyRules, limits } = configuration
    const { registry: metrics } = this.#metrics
    const { isAdaptive } = limits.traffic
    const parts = { ...mails, from, replyRules, clock, random, log, metrics, isAdaptive }
    return stagingSink(openRouter(relays, parts), configuration, log)
  }

  #settings(cluster: KafkaCluster, applicationId: string): Partial<StreamsSettings> {
    const { configuration, place, acceptLostState, takeOver, clock, log } = this.#options
    const { staticMembership, sessionTimeout, standbys, guarantee } = configuration
    const mayStart = async (signal: AbortSignal): Promise<void> => {
      if (!takeOver) await refuseSecondDeployment({ cluster, applicationId, clock, signal })
      await createLaterTopics(cluster.admin, configuration.dedupWindow, log)
    }
    return {
      staticMembership,
      standbys,
      guarantee,
      acceptLostState,
      createTopicsHint: 'make them with mailonce topics create',
      mayStart,
      ...(place && { workerIndex: place.index, instanceSinceMs: place.sinceMs }),
      ...(sessionTimeout === undefined ? {} : { sessionTimeoutMs: sessionTimeout }),
      ...(this.#advertisedHttp === undefined ? {} : { advertisedHttp: this.#advertisedHttp }),
    }
  }

  /** Undefined when stopped meanwhile. */
  async #serdes(cacheFile: string): Promise<EmailSerdes | undefined> {
    const { configuration, clock, log } = this.#options
    const registryUrl = configuration.schemaRegistry.reveal()
    this.#phase = `waiting for the schema registry ${configuration.schemaRegistry.display}`
    return patiently(() => openSerdes({ registryUrl, cacheFile, clock }), {
      clock,
      log,
      signal: this.#stopping.signal,
      while: 'REGISTRY_UNAVAILABLE',
      event: 'registry-unreachable',
    })
  }
}
