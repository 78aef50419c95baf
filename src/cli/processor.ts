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
import type { MailRequest } from '../sinks/mail-request.ts'
import type { Sink } from '../sinks/sink.ts'
import { WebhookSink } from '../sinks/webhook-sink.ts'
import { openStateDirectory } from '../state/state-directory.ts'
import { bounceSettings } from './bounce-settings.ts'
import { BouncePublisher } from './bounce-publisher.ts'
import type { Configuration } from './configuration.ts'
import { dkimOptions } from './dkim-options.ts'
import type { Health } from './http-server.ts'
import { kafkaOptions } from './kafka-options.ts'
import { createLaterTopics } from './later-topics.ts'
import { startLmtpListener } from './lmtp-listener.ts'
import {
  type ConfiguredRelay,
  configuredRelays,
  openRouter,
  type RouterParts,
} from './open-relays.ts'
import { openSerdes } from './open-serdes.ts'
import { patiently } from './patiently.ts'
import { probeBrokers, probeRelay } from './probes.ts'
import { answerQuery, type QueryAnswer } from './request-queries.ts'
import { refuseSecondDeployment } from './second-deployment.ts'
import {
  instanceApplicationId,
  refuseTakeOver,
  showStaging,
  stagingSink,
  stagingText,
  stagingWebhooks,
} from './staging.ts'
import { webhookSinkOptions } from './webhook-section.ts'

export interface ProcessorOptions {
  readonly configuration: Configuration
  /** Starts with empty stores where their changelogs are gone. */
  readonly acceptLostState: boolean
  /** Starts although another application id has worked on these topics. */
  readonly takeOver: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** One instance of the flagship topology with everything around it: what `run` and `dev` run. */
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
    const health = this.#health()
    const staging = stagingText(this.#options.configuration)
    return staging === undefined ? health : { ...health, text: `${health.text}; ${staging}` }
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
    await this.#streams?.observe()
    return this.#metrics.registry.render()
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
    const { configuration, clock, random, log, takeOver } = this.#options
    refuseTakeOver(configuration, takeOver)
    const applicationId = instanceApplicationId(configuration)
    await using resources = new AsyncDisposableStack()
    const relays = await configuredRelays(configuration)
    const webhookOptions = await webhookSinkOptions(configuration.webhooks)
    const dkim = await dkimOptions(configuration.dkim)
    const kafka = await kafkaOptions(configuration, clock, log)
    const { envelopeIdOf, bounces } = await bounceSettings(configuration)
    const stateDirectory = resources.use(
      await openStateDirectory({
        path: configuration.stateDir,
        applicationId,
        log,
        storeMemoryBytes: configuration.storeMemory / 2,
      }),
    )
    const instanceId =
      configuration.instanceId ??
      (await stateDirectory.remember('instance-id', () => random.uuid()))
    this.#tellStart(instanceId, kafka.bootstrapBrokers, relays)
    const journal = resources.use(await FileJournal.open(stateDirectory.path('journal')))
    const processingMarks = resources.use(
      new FileProcessingMarks(stateDirectory.path('processing')),
    )
    this.#probe(relays)
    const serdes = await this.#serdes(stateDirectory.path('schemas.json'))
    if (serdes === undefined) return
    const sink = resources.use(this.#mailSink(relays, { dkim, envelopeIdOf }))
    const webhookSink = new WebhookSink({ ...webhookOptions, clock })
    const webhooks = resources.use(stagingWebhooks(webhookSink, configuration))
    const cluster = resources.use(connectKafka(kafka))
    await this.#takeReports(cluster, `${applicationId}-${instanceId}-lmtp`, resources)
    const topology = emailTopology({
      serdes,
      sink,
      dedupWindowMs: configuration.dedupWindow,
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
    streams.onFirstReady(() => log.info({ event: 'running' }, 'every assigned task is running'))
    this.#streams = streams
    if (this.#stopping.signal.aborted) return
    await streams.run()
  }

  /** Whoever is out of reach is waited for; a person should know at once. */
  #probe(relays: readonly ConfiguredRelay[]): void {
    const { configuration, log } = this.#options
    probeBrokers(configuration.kafka).catch((error: unknown) =>
      log.warn({ event: 'broker-unreachable' }, describeError(error)),
    )
    for (const { options } of relays)
      probeRelay(options.url).catch((error: unknown) =>
        log.warn({ event: 'relay-unreachable' }, describeError(error)),
      )
  }

  #mailSink(
    relays: readonly ConfiguredRelay[],
    mails: Pick<RouterParts, 'dkim' | 'envelopeIdOf'>,
  ): Sink<MailRequest> {
    const { configuration, clock, random, log } = this.#options
    const { from, retryClasses: replyRules } = configuration
    const { registry: metrics } = this.#metrics
    const parts = { ...mails, from, replyRules, clock, random, log, metrics }
    return stagingSink(openRouter(relays, parts), configuration, log)
  }

  #tellStart(
    instanceId: string,
    kafka: readonly string[],
    relays: readonly ConfiguredRelay[],
  ): void {
    const { configuration, log } = this.#options
    const relay = relays.map(({ display }) => display).join(', ')
    log.info({ event: 'starting', instanceId, kafka, relay })
    const text = stagingText(configuration)
    if (text !== undefined) log.warn({ event: 'staging' }, text)
    showStaging(this.#metrics.registry, configuration)
  }

  /** Before the instance is ready: whoever hands a report in is told to come again while it cannot be taken. */
  async #takeReports(
    cluster: KafkaCluster,
    transactionalId: string,
    resources: AsyncDisposableStack,
  ): Promise<void> {
    const { configuration, clock, log } = this.#options
    const { lmtp: listen } = configuration
    if (listen === undefined) return
    const publisher = resources.use(new BouncePublisher({ cluster, transactionalId, clock }))
    const publish = (message: Buffer): Promise<void> => publisher.publish(message)
    const { address } = resources.use(await startLmtpListener({ listen, publish, log }))
    log.info({ event: 'lmtp', address }, 'taking reports of mails that came back')
  }

  #settings(cluster: KafkaCluster, applicationId: string): Partial<StreamsSettings> {
    const { configuration, acceptLostState, takeOver, clock, log } = this.#options
    const { staticMembership, sessionTimeout, standbys } = configuration
    const mayStart = async (signal: AbortSignal): Promise<void> => {
      if (!takeOver) await refuseSecondDeployment({ cluster, applicationId, clock, signal })
      await createLaterTopics(cluster.admin, configuration.dedupWindow, log)
    }
    return {
      staticMembership,
      standbys,
      acceptLostState,
      createTopicsHint: 'make them with mailonce topics create',
      mayStart,
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
