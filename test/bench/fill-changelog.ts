import { contentHash } from '../../src/email/content-hash.ts'
import { dedupEntrySerde, dedupStore } from '../../src/email/dedup-store.ts'
import { identityOf } from '../../src/email/identity.ts'
import { partitionForKey } from '../../src/topology/partitioner.ts'
import type { BenchWorld } from './bench-world.ts'
import { partitions } from './connect-to.ts'
import { knownRequest } from './known-requests.ts'

const recordsPerTransaction = 10_000
export const dedupChangelog = 'mailonce-dedup-changelog'

/** The changelog that so many different requests leave behind, as commits of 100 ms leave it. Done before the first instance starts. */
export async function fillChangelog(world: BenchWorld, keys: number): Promise<void> {
  const windowMs = 7 * 24 * 3_600_000
  const { changelogConfigs } = dedupStore(windowMs)
  await world.cluster.admin.createTopics([
    { name: dedupChangelog, partitions, configs: changelogConfigs },
  ])
  await using producer = world.cluster.createProducer({
    transactionalId: 'bench-fill',
    transactionTimeoutMs: 60_000,
  })
  await producer.init()
  const firstSeenMs = Date.now()
  const hash = contentHash(knownRequest(0, firstSeenMs))
  for (let begin = 0; begin < keys; begin += recordsPerTransaction) {
    const count = Math.min(recordsPerTransaction, keys - begin)
    await producer.send(
      Array.from({ length: count }, (_, index) => {
        const { source, requestId } = knownRequest(begin + index, firstSeenMs)
        const partition = partitionForKey(Buffer.from(requestId), partitions)
        const value = dedupEntrySerde.serialize({
          kind: 'seen',
          firstSeenMs,
          requestedAtMs: firstSeenMs,
          countedFromMs: firstSeenMs,
          contentHash: hash,
          answered: [{ partition, offset: 0, timestampMs: firstSeenMs }],
        })
        return {
          topic: dedupChangelog,
          partition,
          key: Buffer.from(identityOf({ source, requestId })),
          value,
          headers: [],
          timestampMs: firstSeenMs,
        }
      }),
    )
    await producer.commit()
  }
}
