import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { DevEnvironment } from '../dev/dev-environment.ts'
import type { InboxMail } from '../dev/smtp-inbox.ts'
import { schemaText, schemaTopics, subjectOf } from '../email/schemas.ts'
import type { Logger } from '../log.ts'
import { systemRandom } from '../random.ts'
import type { Configuration } from './configuration.ts'
import { openCluster, openRegistry } from './connections.ts'
import { createTopics } from './create-topics.ts'
import { hostPorts } from './parsers.ts'
import { Processor } from './processor.ts'
import { Secret } from './secret.ts'
import type { Terminal } from './terminal.ts'

export interface DevSessionOptions {
  readonly configuration: Configuration
  readonly terminal: Terminal
  readonly log: Logger
  readonly onMail: (mail: InboxMail) => void
}

/** The embedded environment with schemas and topics, and a processor that is to run against it. */
export interface DevSession {
  /** The given one with the addresses of the environment. */
  readonly configuration: Configuration
  readonly processor: Processor
}

/** Starts everything but the processor. What it holds is closed by `resources`. */
export async function startDevSession(
  options: DevSessionOptions,
  resources: AsyncDisposableStack,
): Promise<DevSession> {
  const { terminal, log, onMail } = options
  const environment = resources.use(
    await DevEnvironment.start({
      environment: terminal.environment,
      onProgress: text => terminal.tell(text),
      smtp: { onMail },
    }),
  )
  const bootstrap = environment.kafka.bootstrapServers()
  const configuration: Configuration = {
    ...options.configuration,
    kafka: hostPorts.parse(bootstrap) ?? [],
    schemaRegistry: new Secret(environment.registryUrl, environment.registryUrl),
    smtp: new Secret(environment.inbox.url, environment.inbox.url),
    relays: undefined,
    threads: 1,
    dryRun: false,
    redirectTo: undefined,
    stateDir: join(environment.directory, 'state'),
  }
  await prepare(configuration)
  terminal.tell('schemas are registered, topics are created')
  const processor = new Processor({
    configuration,
    acceptLostState: false,
    takeOver: false,
    clock: systemClock,
    random: systemRandom,
    log,
  })
  return { configuration, processor }
}

async function prepare(configuration: Configuration): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const registry = await openRegistry(configuration, resources)
  const { admin } = await openCluster(configuration, resources)
  const register = async (): Promise<void> => {
    for (const topic of schemaTopics) await registry.register(subjectOf(topic), schemaText(topic))
  }
  await Promise.all([
    register(),
    createTopics({ admin, dedupWindowMs: configuration.dedupWindow, print: () => undefined }),
  ])
}
