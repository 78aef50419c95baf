import { commitAtLeastOnce } from './commit-at-least-once.ts'
import { commitCycle, type FrozenCycle } from './commit-cycle.ts'
import type {
  GatheredRecords,
  IdempotentProducer,
  KafkaCluster,
  ProducedRange,
  ProducedRecord,
  ProducerOptions,
  TransactionalProducer,
} from './ports.ts'

/**
 * `exactly-once`: a cycle is one transaction. `at-least-once`: its writes become visible one after the other, and after a death some of
 * them are made again.
 */
export type Guarantee = 'exactly-once' | 'at-least-once'

/** How a worker's cycles become true. One call at a time. */
export interface Committer {
  /** At the start, and after every failure: nothing of what failed goes on by itself. */
  init(): Promise<void>
  /** For the outputs of the next cycle. */
  gather(): GatheredRecords
  /** Resolves when the whole cycle is true for everybody, with where its changelog records stand; rejects when nobody may act on it. */
  commit(frozen: FrozenCycle): Promise<readonly ProducedRange[]>
  /** Records that belong to no cycle, and to no task of this worker. */
  publish(records: readonly ProducedRecord[]): Promise<void>
  close(): Promise<void>
}

export function openCommitter(
  cluster: KafkaCluster,
  guarantee: Guarantee,
  options: ProducerOptions,
): Committer {
  return guarantee === 'exactly-once'
    ? exactlyOnce(cluster.createProducer(options))
    : atLeastOnce(cluster.createIdempotentProducer(options))
}

export function exactlyOnce(producer: TransactionalProducer): Committer {
  return {
    init: () => producer.init(),
    gather: () => producer.gather(),
    commit: frozen => commitCycle(producer, frozen),
    publish: async records => {
      await producer.send(records)
      await producer.commit()
    },
    close: () => producer.close(),
  }
}

function atLeastOnce(producer: IdempotentProducer): Committer {
  return {
    init: () => producer.init(),
    gather: () => producer.gather(),
    commit: frozen => commitAtLeastOnce(producer, frozen),
    publish: async records => void (await producer.send(records)),
    close: () => producer.close(),
  }
}
