import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { KafkaCluster } from '../runtime/ports.ts'
import { BouncePublisher } from './bounce-publisher.ts'
import type { Configuration } from './configuration.ts'
import { startLmtpListener } from './lmtp-listener.ts'
import { instanceApplicationId } from './staging.ts'

interface ReportOptions {
  readonly configuration: Configuration
  readonly instanceId: string
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
}

/**
 * The door for reports of mails that came back, where there is one. Open before the instance is ready: whoever hands a report in is told
 * to come again while it cannot be taken.
 */
export async function takeReports(
  { configuration, instanceId, cluster, clock, log }: ReportOptions,
  resources: AsyncDisposableStack,
): Promise<void> {
  const { lmtp: listen } = configuration
  if (listen === undefined) return
  const transactionalId = `${instanceApplicationId(configuration)}-${instanceId}-lmtp`
  const publisher = resources.use(new BouncePublisher({ cluster, transactionalId, clock }))
  const publish = (message: Buffer): Promise<void> => publisher.publish(message)
  const { address } = resources.use(await startLmtpListener({ listen, publish, log }))
  log.info({ event: 'lmtp', address }, 'taking reports of mails that came back')
}
