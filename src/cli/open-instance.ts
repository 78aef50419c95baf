import type { Clock } from '../clock.ts'
import { describeError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import { joinStateDirectory, openStateDirectory } from '../state/state-directory.ts'
import type { StateDirectory } from '../state/store.ts'
import type { Configuration } from './configuration.ts'
import type { ConfiguredRelay } from './open-relays.ts'
import { probeBrokers, probeRelay } from './probes.ts'
import { hostPortText } from './parsers.ts'
import { instanceApplicationId, stagingText } from './staging.ts'
import { prepareThreadFiles } from './thread-files.ts'

/** One instance of the application on this machine: what its threads have in common. */
export interface Instance {
  readonly stateDirectory: StateDirectory
  readonly instanceId: string
}

interface InstanceOptions {
  readonly configuration: Configuration
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Takes the state directory for this process and finds its name. Throws what `openStateDirectory` throws. */
export async function openInstance(
  { configuration, random, log }: InstanceOptions,
  relays: readonly ConfiguredRelay[],
  resources: AsyncDisposableStack,
): Promise<Instance> {
  const stateDirectory = resources.use(
    await openStateDirectory(directoryOptions(configuration, log)),
  )
  const instanceId =
    configuration.instanceId ?? (await stateDirectory.remember('instance-id', () => random.uuid()))
  await prepareThreadFiles(stateDirectory, configuration.threads)
  tellStart(configuration, { instanceId, relays, log })
  probe(configuration, relays, log)
  return { stateDirectory, instanceId }
}

/** For a thread beside the one that has opened the instance. */
export function joinInstanceDirectory({
  configuration,
  clock,
  log,
}: Omit<InstanceOptions, 'random'>): Promise<StateDirectory> {
  return joinStateDirectory({ ...directoryOptions(configuration, log), clock })
}

function directoryOptions(
  configuration: Configuration,
  log: Logger,
): Parameters<typeof openStateDirectory>[0] {
  return {
    path: configuration.stateDir,
    applicationId: instanceApplicationId(configuration),
    log,
    // Each store is open in one thread only, so the threads need not divide it.
    // The heap, what is read and written, and the code take the rest: as measured, not as wished.
    storeMemoryBytes: configuration.storeMemory / 4,
  }
}

function tellStart(
  configuration: Configuration,
  parts: {
    readonly instanceId: string
    readonly relays: readonly ConfiguredRelay[]
    readonly log: Logger
  },
): void {
  const { instanceId, relays, log } = parts
  const { threads } = configuration
  const kafka = configuration.kafka.map(hostPortText)
  const relay = relays.map(({ display }) => display).join(', ')
  log.info({ event: 'starting', instanceId, kafka, relay, ...(threads > 1 && { threads }) })
  const text = stagingText(configuration)
  if (text !== undefined) log.warn({ event: 'staging' }, text)
}

/** Whoever is out of reach is waited for; a person should know at once. */
function probe(
  configuration: Configuration,
  relays: readonly ConfiguredRelay[],
  log: Logger,
): void {
  probeBrokers(configuration.kafka).catch((error: unknown) =>
    log.warn({ event: 'broker-unreachable' }, describeError(error)),
  )
  for (const { options } of relays)
    probeRelay(options.url).catch((error: unknown) =>
      log.warn({ event: 'relay-unreachable' }, describeError(error)),
    )
}
