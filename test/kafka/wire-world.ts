import { vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { connectKafka } from '../../src/kafka/connect-kafka.ts'
import type { KafkaOptions } from '../../src/kafka/options.ts'
import { silentLogger } from '../../src/log.ts'
import type { ClusterWorld } from '../contract/cluster-world.ts'

/** A real cluster, in real time. */
export function wireWorld(
  bootstrapServers: string,
  options: Partial<KafkaOptions> = {},
  close: () => Promise<void> = () => Promise.resolve(),
): ClusterWorld {
  return {
    connect: () =>
      connectKafka({
        bootstrapBrokers: bootstrapServers.split(','),
        clientId: 'test',
        clock: systemClock,
        log: silentLogger,
        ...options,
      }),
    settle: promise => promise,
    until: async condition => {
      await vi.waitUntil(condition, { timeout: 30_000, interval: 5 })
    },
    close,
  }
}
