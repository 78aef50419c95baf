import {
  type GatheredRecords,
  type IdempotentProducer,
  partitionKey,
  type ProducedRange,
  type ProducedRecord,
} from '../../../../src/runtime/ports.ts'
import type { RecordList } from '../../../../src/runtime/record-list.ts'
import type { MemoryBroker } from '../../../../src/testing/memory-broker.ts'
import type { Alteration } from '../alterations.ts'
import { changed } from './changed.ts'
import { changedCluster } from './changed-cluster.ts'
import type { PlantedBug } from './planted-bug.ts'

type Changes = (
  producer: IdempotentProducer,
  broker: MemoryBroker,
) => Partial<Pick<IdempotentProducer, 'sendGathered' | 'commitOffsets'>>

const withProducer = (changes: Changes): Alteration => ({
  parts: (parts, { simulation }) => ({
    ...parts,
    cluster: changedCluster(parts.cluster, {
      idempotentProducer: producer =>
        changed<IdempotentProducer>(producer, changes(producer, simulation.broker)),
    }),
  }),
})

const recordsOf = (gathered: GatheredRecords): readonly ProducedRecord[] =>
  (gathered as RecordList).records

/** Where the records will stand if nobody else writes. */
function expectedRanges(
  records: readonly ProducedRecord[],
  broker: MemoryBroker,
): readonly ProducedRange[] {
  return [...Map.groupBy(records, partitionKey).values()].map(share => {
    const { topic, partition } = share[0]!
    const firstOffset = broker.log({ topic, partition }).endOffset
    return { topic, partition, firstOffset, lastOffset: firstOffset + share.length - 1 }
  })
}

/** What a step would have written comes behind the step after it. */
const swapped = (isFirst: (record: ProducedRecord) => boolean): Alteration =>
  withProducer((producer, broker) => {
    let kept: GatheredRecords | undefined
    return {
      sendGathered: async gathered => {
        const records = recordsOf(gathered)
        if (records.length === 0) return []
        if (kept === undefined && records.some(isFirst)) {
          kept = gathered
          return expectedRanges(records, broker)
        }
        const ranges = await producer.sendGathered(gathered)
        await writeKept()
        return ranges
      },
      commitOffsets: async (offsets, generation) => {
        await writeKept()
        await producer.commitOffsets(offsets, generation)
      },
    }
    async function writeKept(): Promise<void> {
      const late = kept
      kept = undefined
      if (late !== undefined) await producer.sendGathered(late)
    }
  })

const isChangelog = ({ topic }: ProducedRecord): boolean => topic.endsWith('-changelog')
const isPositions = ({ topic }: ProducedRecord): boolean => topic.endsWith('-positions-changelog')

export const atLeastOnceBugs: readonly PlantedBug[] = [
  {
    bug: 'what the stores know is written before the outputs',
    alteration: swapped(record => !isChangelog(record)),
  },
  {
    bug: 'what has been processed is written before what came of it',
    alteration: swapped(record => isChangelog(record) && !isPositions(record)),
  },
  {
    bug: 'outputs are not waited for',
    alteration: withProducer((producer, broker) => {
      let under: Promise<unknown> = Promise.resolve()
      return {
        sendGathered: async gathered => {
          await under
          const records = recordsOf(gathered)
          if (records.every(isChangelog)) return producer.sendGathered(gathered)
          under = producer.sendGathered(gathered).catch(() => producer.init())
          return expectedRanges(records, broker)
        },
      }
    }),
  },
  {
    bug: 'changelogs are not waited for',
    alteration: withProducer((producer, broker) => {
      let under: Promise<unknown> = Promise.resolve()
      return {
        sendGathered: async gathered => {
          await under
          const records = recordsOf(gathered)
          if (!records.every(isChangelog)) return producer.sendGathered(gathered)
          under = producer.sendGathered(gathered).catch(() => producer.init())
          return expectedRanges(records, broker)
        },
        commitOffsets: async (offsets, generation) => {
          // As from a producer of its own.
          const group = broker.group(generation.groupId)
          group.checkGeneration(generation)
          group.offsets.set(offsets)
        },
      }
    }),
  },
]
