import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { systemClock, type Clock } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import { systemRandom, type Random } from '../random.ts'
import { DownloadCache } from './download-cache.ts'
import { JavaServers } from './java-servers.ts'
import { KafkaCluster, type KafkaClusterOptions } from './kafka-cluster.ts'
import {
  cacheDirectory,
  findContainerEngine,
  findJavaVersion,
  findMaven,
  type Environment,
} from './machine-parts.ts'
import { ProcessGuardian } from './process-guardian.ts'
import type { ServerFactory } from './running-server.ts'
import { SchemaRegistry } from './schema-registry.ts'
import { ServerJars } from './server-jars.ts'
import { chooseServerSource, type ServerSource } from './server-source.ts'
import { SmtpInbox, type SmtpInboxOptions } from './smtp-inbox.ts'

export interface DevEnvironmentOptions {
  readonly kafka?: KafkaClusterOptions
  /** `false` leaves the Schema Registry out. @default true */
  readonly schemaRegistry?: boolean
  readonly smtp?: SmtpInboxOptions
  /** Of the brokers; any 4.x that is published. @default '4.3.1' */
  readonly kafkaVersion?: string
  /** Where the servers come from. @default containers where a local engine answers, otherwise Java and Maven */
  readonly source?: ServerSource
  /** One line for each step, for people who wait. */
  readonly onProgress?: (text: string) => void
  /** `XDG_CACHE_HOME` and `DOCKER_HOST` are read from it. @default {} */
  readonly environment?: Environment
  readonly clock?: Clock
  readonly random?: Random
}

interface ResolvedOptions extends Required<Omit<DevEnvironmentOptions, 'source'>> {
  readonly source?: ServerSource
}

const defaults: ResolvedOptions = Object.freeze({
  kafka: {},
  schemaRegistry: true,
  smtp: {},
  kafkaVersion: '4.3.1',
  onProgress: () => undefined,
  environment: {},
  clock: systemClock,
  random: systemRandom,
})

/**
 * Real Kafka, a real Schema Registry and a mail inbox on free ports of 127.0.0.1, in a temporary directory. Disposing
 * of it stops everything; so does the end of this process, however it comes.
 */
export class DevEnvironment implements AsyncDisposable {
  readonly kafka: KafkaCluster
  readonly inbox: SmtpInbox
  readonly source: ServerSource
  /** Holds data, configuration and logs of the servers; deleted at the end. */
  readonly directory: string
  readonly #registry: SchemaRegistry | undefined
  readonly #resources: AsyncDisposableStack

  private constructor(parts: Parts, resources: AsyncDisposableStack) {
    this.kafka = parts.kafka
    this.inbox = parts.inbox
    this.source = parts.source
    this.directory = parts.directory
    this.#registry = parts.registry
    this.#resources = resources
  }

  /**
   * Returns once everything answers. ENVIRONMENT_MISSING says what to install; ENVIRONMENT_FAILED which server did not
   * come up, with its last lines. Nothing is left running in either case.
   */
  static async start(options: DevEnvironmentOptions = {}): Promise<DevEnvironment> {
    const resolved: ResolvedOptions = { ...defaults, ...options }
    const sources = await findSources(resolved)
    let failure: unknown
    for (const source of sources) {
      await using resources = new AsyncDisposableStack()
      try {
        const parts = await startParts(source, resolved, resources)
        return new DevEnvironment(parts, resources.move())
      } catch (error) {
        failure = error
        if (source === sources.at(-1)) break
        resolved.onProgress(
          `${source} does not work (${describeError(error)}), trying the next way`,
        )
      }
    }
    throw failure
  }

  get registryUrl(): string {
    if (this.#registry) return this.#registry.url
    throw new StreamsError('INTERNAL', 'this environment was started without a Schema Registry')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

interface Parts {
  readonly kafka: KafkaCluster
  readonly inbox: SmtpInbox
  readonly registry: SchemaRegistry | undefined
  readonly source: ServerSource
  readonly directory: string
}

/** The ways to try, best first: an engine that answers may still be unable to fetch an image. */
async function findSources(options: ResolvedOptions): Promise<readonly ServerSource[]> {
  const { environment, clock } = options
  const parts = {
    containerEngine: await findContainerEngine(environment, clock),
    javaVersion: await findJavaVersion(),
    maven: await findMaven(),
    jarsCached: await serverJars(options).cached(options.kafkaVersion),
  }
  const choice = chooseServerSource(parts, options.source)
  if (choice.source === undefined) throw new StreamsError('ENVIRONMENT_MISSING', choice.missing)
  if (choice.source === 'maven' || options.source === 'container') return [choice.source]
  const next = chooseServerSource(parts, 'maven')
  return next.source === undefined ? [choice.source] : [choice.source, next.source]
}

function serverJars(options: ResolvedOptions): ServerJars {
  const directory = cacheDirectory(options.environment)
  return new ServerJars(new DownloadCache(directory, options.random), options.onProgress)
}

async function startParts(
  source: ServerSource,
  options: ResolvedOptions,
  resources: AsyncDisposableStack,
): Promise<Parts> {
  const { clock, random, onProgress } = options
  const directory = await mkdtemp(join(tmpdir(), 'mailonce-dev-'))
  const guardian = resources.use(new ProcessGuardian(directory))
  const factory = await createFactory(source, options, { directory, guardian })
  const place = { factory, directory, clock, random }

  const startedMs = clock.monotonicMs()
  const timed = async <T>(name: string, start: Promise<T>): Promise<T> => {
    const value = await start
    onProgress(`${name} is up after ${((clock.monotonicMs() - startedMs) / 1000).toFixed(1)} s`)
    return value
  }
  const inbox = resources.use(await SmtpInbox.start(options.smtp, clock))
  const kafka = await KafkaCluster.create(place, options.kafka)
  resources.defer(() => kafka.discard())
  const registry = options.schemaRegistry ? await SchemaRegistry.create(place) : undefined
  if (registry) resources.defer(() => registry.stop())
  onProgress(
    `starting Kafka ${options.kafkaVersion}${registry ? ' and the Schema Registry' : ''} (${source})`,
  )
  // Both are waited for even when one fails, so that nothing starts after everything was stopped.
  const results = await Promise.allSettled([
    timed('Kafka', kafka.start()),
    ...(registry ? [timed('the Schema Registry', registry.start())] : []),
  ])
  const failed = results.find(result => result.status === 'rejected')
  if (failed) throw failed.reason
  return { kafka, inbox, registry, source, directory }
}

async function createFactory(
  source: ServerSource,
  options: ResolvedOptions,
  place: { readonly directory: string; readonly guardian: ProcessGuardian },
): Promise<ServerFactory> {
  const { kafkaVersion, clock } = options
  if (source === 'maven') {
    return new JavaServers(serverJars(options), place.guardian, {
      directory: place.directory,
      clock,
      kafkaVersion,
    })
  }
  // Loaded only here: testcontainers takes half a second, and most starts do without it.
  const { ContainerServers } = await import('./container-servers.ts')
  return new ContainerServers({ directory: place.directory, kafkaVersion })
}
