import { errorCodeOf } from '../../../../src/errors.ts'
import {
  type CommittedRecordsFetcher,
  type GroupGeneration,
  partitionKey,
} from '../../../../src/runtime/ports.ts'
import { restoreFetch } from '../../../../src/runtime/task-store.ts'
import type { Simulation } from '../../../../src/testing/simulation.ts'
import type { Alteration } from '../alterations.ts'
import { applicationId } from '../email-machine.ts'
import { changed } from './changed.ts'
import { changedCluster, type ClusterChanges } from './changed-cluster.ts'
import type { PlantedBug } from './planted-bug.ts'

const withCluster = (changesIn: (simulation: Simulation) => ClusterChanges): Alteration => ({
  parts: (parts, { simulation }) => ({
    ...parts,
    cluster: changedCluster(parts.cluster, changesIn(simulation)),
  }),
})

export const clusterBugs: readonly PlantedBug[] = [
  {
    bug: 'positions are committed without the fence of the generation',
    alteration: withCluster(({ broker }) => ({
      producer: producer =>
        changed(producer, {
          addOffsets: (offsets, generation) => {
            const { generationId, members } = broker.group(applicationId)
            const memberId = members[0]?.memberId ?? generation.memberId
            return producer.addOffsets(offsets, { ...generation, memberId, generationId })
          },
        }),
    })),
  },
  {
    bug: 'a task stays although its generation was lost',
    alteration: withCluster(() => keepsTasks()),
  },
  {
    bug: 'a commit whose outcome is unknown counts as done',
    alteration: withCluster(() => ({
      producer: producer =>
        changed(producer, {
          commit: async () => {
            try {
              await producer.commit()
            } catch (error) {
              if (errorCodeOf(error) !== 'COMMIT_OUTCOME_UNKNOWN') throw error
              await producer.init()
            }
          },
        }),
    })),
  },
  {
    bug: 'a restore leaves out the last record of what it reads',
    alteration: withCluster(() => ({
      fetcher: (fetcher, options) =>
        options !== restoreFetch
          ? fetcher
          : changed(fetcher, {
              poll: () =>
                fetcher
                  .poll()
                  .flatMap(batch => [{ ...batch, records: batch.records.slice(0, -1) }]),
            }),
    })),
  },
  {
    bug: 'records of aborted transactions are read too',
    alteration: withCluster(simulation => ({
      fetcher: fetcher => readsAborted(fetcher, simulation),
    })),
  },
  {
    bug: 'a batch is handed out twice',
    alteration: withCluster(() => ({
      fetcher: fetcher =>
        changed(fetcher, {
          poll: () => fetcher.poll().flatMap(batch => [batch, batch]),
        }),
    })),
  },
  {
    bug: 'two members of a group get the same partitions',
    alteration: withCluster(() => ({
      memberOptions: options => ({
        ...options,
        assignor: async members => {
          const assignments = await options.assignor(members)
          const all = [...assignments.values()].flatMap(each => each.partitions)
          return new Map(
            [...assignments].map(([id, each]) => [id, { ...each, partitions: all }] as const),
          )
        },
      }),
    })),
  },
]

/** To the worker every generation looks like the next one of the same member; to the broker it is what it is. */
function keepsTasks(): ClusterChanges {
  const real = new WeakMap<GroupGeneration, GroupGeneration>()
  const shown = new WeakMap<GroupGeneration, GroupGeneration>()
  let generationId = 0
  return {
    member: member =>
      changed(member, {
        get generation() {
          const actual = member.generation
          if (actual === undefined) return undefined
          const known = shown.get(actual)
          if (known) return known
          generationId += 1
          const next = { ...actual, memberId: 'member', generationId }
          shown.set(actual, next)
          real.set(next, actual)
          return next
        },
        get status() {
          return member.status === 'lost' ? ('rebalancing' as const) : member.status
        },
      }),
    producer: producer =>
      changed(producer, {
        addOffsets: (offsets, generation) =>
          producer.addOffsets(offsets, real.get(generation) ?? generation),
      }),
  }
}

function readsAborted(
  fetcher: CommittedRecordsFetcher,
  { broker }: Simulation,
): CommittedRecordsFetcher {
  const positions = new Map<string, number>()
  return changed(fetcher, {
    assign: (at, offset) => {
      positions.set(partitionKey(at), offset)
      fetcher.assign(at, offset)
    },
    poll: () =>
      fetcher.poll().flatMap(batch => {
        const from = positions.get(partitionKey(batch)) ?? batch.nextOffset
        positions.set(partitionKey(batch), batch.nextOffset)
        const records = broker
          .log(batch)
          .entries.filter(
            ({ record, state }) =>
              state !== 'marker' && record.offset >= from && record.offset < batch.nextOffset,
          )
          .map(each => each.record)
        return [{ ...batch, records }]
      }),
  })
}
