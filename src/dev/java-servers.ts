import { access } from 'node:fs/promises'
import { join } from 'node:path'

import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { ProcessGuardian } from './process-guardian.ts'
import { runTool } from './run-tool.ts'
import type {
  BrokerCommand,
  RegistryCommand,
  RunningServer,
  ServerFactory,
} from './running-server.ts'
import { registryJar, type ServerJars } from './server-jars.ts'
import { ServerProcess } from './server-process.ts'

const logging = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
]
// The first compiler alone starts sooner, takes less memory and half of the processor time.
const startFast = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
// What Kafka's own start scripts set.
const carryLoad = ['-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']

/** Runs the servers as child processes of this one, from the published jars. */
export class JavaServers implements ServerFactory {
  readonly #jars: ServerJars
  readonly #guardian: ProcessGuardian
  readonly #directory: string
  readonly #clock: Clock
  readonly #kafkaVersion: string

  constructor(
    jars: ServerJars,
    guardian: ProcessGuardian,
    options: { readonly directory: string; readonly clock: Clock; readonly kafkaVersion: string },
  ) {
    this.#jars = jars
    this.#guardian = guardian
    this.#directory = options.directory
    this.#clock = options.clock
    this.#kafkaVersion = options.kafkaVersion
  }

  async startBroker(broker: BrokerCommand): Promise<RunningServer> {
    const classPath = join(await this.#jars.kafka(this.#kafkaVersion), '*')
    await formatStorage(classPath, broker)
    const heap = [`-Xms${broker.heapMb}m`, `-Xmx${broker.heapMb}m`]
    const main = ['-cp', classPath, 'kafka.Kafka', broker.propertiesFile]
    const tuning = broker.tunedFor === 'start' ? startFast : carryLoad
    return this.#start(broker.name, [...heap, ...tuning, ...logging, ...main], this.#directory)
  }

  async startRegistry(registry: RegistryCommand): Promise<RunningServer> {
    const home = await this.#jars.registry()
    const address = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${registry.port}`]
    const quiet = ['-Dquarkus.log.level=WARN', '-Dquarkus.http.access-log.enabled=false']
    return this.#start(
      'schema-registry',
      [`-Xmx${registry.heapMb}m`, ...startFast, ...address, ...quiet, '-jar', registryJar],
      home,
    )
  }

  #start(name: string, javaArguments: readonly string[], workingDirectory: string): RunningServer {
    const logFile = join(this.#directory, `${name}.log`)
    return new ServerProcess(
      { command: 'java', commandArguments: javaArguments, workingDirectory, logFile },
      this.#guardian,
      this.#clock,
    )
  }
}

/** A data directory is formatted once; a broker that starts again keeps what it wrote. */
async function formatStorage(classPath: string, broker: BrokerCommand): Promise<void> {
  const formatted = await access(join(broker.dataDirectory, 'meta.properties')).then(
    () => true,
    () => false,
  )
  if (formatted) return
  const tool = ['-cp', classPath, 'kafka.tools.StorageTool', 'format']
  const cluster = ['-t', broker.clusterId, '-c', broker.propertiesFile]
  const { exitCode, output } = await runTool('java', [
    ...startFast,
    ...logging,
    ...tool,
    ...cluster,
    ...broker.formatArguments,
  ])
  if (exitCode !== 0) {
    throw new StreamsError(
      'ENVIRONMENT_FAILED',
      `kafka.tools.StorageTool refuses to format: ${output.trim()}`,
    )
  }
}
