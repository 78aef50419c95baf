import { GenericContainer, Wait, type StartedTestContainer } from 'testcontainers'

import {
  lastLinesOf,
  type BrokerCommand,
  type RegistryCommand,
  type RunningServer,
  type ServerFactory,
} from './running-server.ts'
import { registryVersion } from './server-jars.ts'

const stopGraceMs = 10_000
const logBytesMax = 64 * 1024

/**
 * Runs the servers in containers of the host's network, with the environment's directory at its own path and owned by
 * the caller, so that properties, key stores and addresses mean the same inside and outside. testcontainers' reaper
 * removes them when this process is killed.
 */
export class ContainerServers implements ServerFactory {
  readonly #directory: string
  readonly #kafkaVersion: string

  constructor(options: { readonly directory: string; readonly kafkaVersion: string }) {
    this.#directory = options.directory
    this.#kafkaVersion = options.kafkaVersion
  }

  startBroker(broker: BrokerCommand): Promise<RunningServer> {
    // Everything is an argument of the shell, never a part of its text.
    const script = `cd /opt/kafka/bin && data=$1 properties=$2 cluster=$3 && shift 3 &&
      { [ -f "$data/meta.properties" ] || ./kafka-storage.sh format -t "$cluster" -c "$properties" "$@"; } &&
      exec ./kafka-server-start.sh "$properties"`
    const shellArguments = [
      broker.dataDirectory,
      broker.propertiesFile,
      broker.clusterId,
      ...broker.formatArguments,
    ]
    const container = new GenericContainer(`apache/kafka:${this.#kafkaVersion}`)
      .withEntrypoint(['/bin/sh', '-c', script, broker.name])
      .withCommand(shellArguments)
      .withEnvironment({
        KAFKA_HEAP_OPTS: `-Xms${broker.heapMb}m -Xmx${broker.heapMb}m`,
        LOG_DIR: `${this.#directory}/${broker.name}-logs`,
      })
      .withBindMounts([{ source: this.#directory, target: this.#directory }])
    return startContainer(container)
  }

  startRegistry(registry: RegistryCommand): Promise<RunningServer> {
    const container = new GenericContainer(
      `apicurio/apicurio-registry:${registryVersion}`,
    ).withEnvironment({
      QUARKUS_HTTP_HOST: '127.0.0.1',
      QUARKUS_HTTP_PORT: String(registry.port),
      JAVA_OPTS_APPEND: `-Xmx${registry.heapMb}m`,
    })
    return startContainer(container)
  }
}

async function startContainer(container: GenericContainer): Promise<RunningServer> {
  let log = ''
  const { promise: ended, resolve: end } = Promise.withResolvers<string>()
  const started = await container
    .withNetworkMode('host')
    .withUser(`${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`)
    .withLogConsumer(stream => {
      stream.on('data', (chunk: Buffer) => {
        log = `${log}${chunk.toString()}`.slice(-logBytesMax)
      })
      stream.once('end', () => end('the container ended'))
    })
    // Readiness is asked of the server itself, the same way for every source.
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  return {
    ended,
    stop: () => remove(started, stopGraceMs),
    kill: () => remove(started, 0),
    lastLines: () => Promise.resolve(lastLinesOf(log)),
  }
}

async function remove(container: StartedTestContainer, timeoutMs: number): Promise<void> {
  await container.stop({ timeout: timeoutMs })
}
