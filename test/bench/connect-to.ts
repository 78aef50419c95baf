import { systemClock } from '../../src/clock.ts'
import { connectKafka } from '../../src/kafka/connect-kafka.ts'
import { silentLogger } from '../../src/log.ts'
import type { KafkaCluster } from '../../src/runtime/ports.ts'

/** Of every topic. */
export const partitions = 6

/** Apart from the world: a process that is measured loads nothing that `run` does not load. */
export function connectTo(kafka: string): KafkaCluster {
  return connectKafka({
    bootstrapBrokers: kafka.split(','),
    clientId: 'mailonce-bench',
    clock: systemClock,
    log: silentLogger,
  })
}
