import { sleep } from '../../../../src/clock.ts'
import { errorCodeOf } from '../../../../src/errors.ts'
import type { RecordList } from '../../../../src/runtime/record-list.ts'
import { KeyFilter } from '../../../../src/state/key-filter.ts'
import type { StoreBackend } from '../../../../src/state/store.ts'
import { type Alteration, type Parts, unaltered } from '../alterations.ts'
import { applicationId } from '../email-machine.ts'
import { changed } from './changed.ts'
import { changedCluster } from './changed-cluster.ts'
import type { PlantedBug } from './planted-bug.ts'
import { replaced } from './replaced.ts'

const withBackend = (
  change: (backend: StoreBackend, parts: Parts) => StoreBackend,
): Alteration => ({
  parts: parts => ({
    ...parts,
    stateDirectory: changed(parts.stateDirectory, {
      open: async (taskId, store) => change(await parts.stateDirectory.open(taskId, store), parts),
    }),
  }),
})

export const machineBugs: readonly PlantedBug[] = [
  {
    bug: 'the disk is written before the transaction commits',
    alteration: { parts: writesBeforeCommit },
  },
  {
    bug: 'what was written to the disk is readable only a moment later',
    alteration: withBackend((backend, { clock }) => {
      let written = Promise.resolve()
      return changed(backend, {
        apply: async (writes, position) => {
          const before = written
          const later = async (): Promise<void> => {
            await sleep(clock, 30)
            await before
            await backend.apply(writes, position)
          }
          written = later().catch(() => undefined)
        },
      })
    }),
  },
  {
    bug: 'a key that was read ahead is answered as it was then, although its cycle has reached the disk since',
    alteration: withBackend(backend => {
      const ahead = new Map<string, Buffer | undefined>()
      return changed(backend, {
        getMany: async keys => {
          const now = await backend.getMany(keys)
          const then = keys.map((key, index) => (ahead.has(key) ? ahead.get(key) : now[index]))
          for (const [index, key] of keys.entries()) ahead.set(key, now[index])
          return then
        },
      })
    }),
  },
  {
    bug: 'the position is written before the values',
    alteration: withBackend(backend =>
      changed(backend, {
        apply: async (writes, position) => {
          await backend.apply([], position)
          await backend.apply(writes, position)
        },
      }),
    ),
  },
  {
    bug: 'a checkpoint that counts an open transaction is trusted',
    alteration: { parts: checksOpenTransactions },
  },
  {
    bug: 'a store that cannot be read is replaced by an empty one',
    alteration: {
      parts: (parts, { simulation }) => {
        const { stateDirectory } = parts
        const open: typeof stateDirectory.open = async (taskId, store) => {
          try {
            return await stateDirectory.open(taskId, store)
          } catch (error) {
            if (errorCodeOf(error) !== 'STORE_CORRUPTED') throw error
            await stateDirectory.destroy(taskId, store)
            const backend = await stateDirectory.open(taskId, store)
            const topic = `${applicationId}-${store.name}-changelog`
            const partition = Number(taskId.split('_').at(-1))
            const { topicId } = simulation.broker.topic(topic)!
            const offset = simulation.broker.log({ topic, partition }).endOffset
            await backend.apply([], { topicId, offset })
            return backend
          }
        }
        return { ...parts, stateDirectory: changed(stateDirectory, { open }) }
      },
    },
  },
  {
    bug: 'the filter of a store is not told of some of what is written',
    alteration: unaltered,
    plant: () =>
      replaced(KeyFilter.prototype, 'add', function (add, hash) {
        if (hash % 2 === 0) add.call(this, hash)
      }),
  },
  {
    bug: 'the journal hears of a dot after it was written',
    alteration: {
      parts: parts => ({
        ...parts,
        journal: changed(parts.journal, {
          dots: tokens => {
            sleep(parts.clock, 20)
              .then(() => parts.journal.dots(tokens))
              .catch(() => undefined)
            return Promise.resolve()
          },
        }),
      }),
    },
  },
  {
    bug: 'the wall clock stops while the machine sleeps',
    alteration: {
      parts: parts => {
        const { clock } = parts
        const startMs = clock.nowMs() - clock.monotonicMs()
        return {
          ...parts,
          clock: { ...clock, nowMs: () => Math.floor(startMs + clock.monotonicMs()) },
        }
      },
    },
  },
]

type Place = `${string}/${string}`

/** The backends as they are opened, by their changelog partition. */
function watchBackends(parts: Parts): {
  readonly backends: ReadonlyMap<Place, StoreBackend>
  readonly stateDirectory: Parts['stateDirectory']
} {
  const backends = new Map<Place, StoreBackend>()
  const stateDirectory = changed(parts.stateDirectory, {
    open: async (taskId, store) => {
      const backend = await parts.stateDirectory.open(taskId, store)
      const partition = taskId.split('_').at(-1)
      backends.set(`${applicationId}-${store.name}-changelog/${partition}`, backend)
      return backend
    },
  })
  return { backends, stateDirectory }
}

/** As soon as the records of a transaction are in the changelog, the disk claims to have them. */
function checksOpenTransactions(parts: Parts): Parts {
  const { backends, stateDirectory } = watchBackends(parts)
  const cluster = changedCluster(parts.cluster, {
    producer: producer =>
      changed(producer, {
        sendGathered: async gathered => {
          const ranges = await producer.sendGathered(gathered)
          for (const { topic, partition, lastOffset } of ranges) {
            const backend = backends.get(`${topic}/${partition}`)
            const position = await backend?.position()
            if (position) await backend?.apply([], { ...position, offset: lastOffset + 1 })
          }
          return ranges
        },
      }),
  })
  return { ...parts, stateDirectory, cluster }
}

function writesBeforeCommit(parts: Parts): Parts {
  const { backends, stateDirectory } = watchBackends(parts)
  const cluster = changedCluster(parts.cluster, {
    producer: producer =>
      changed(producer, {
        sendGathered: async gathered => {
          const { records } = gathered as RecordList
          for (const [place, each] of Map.groupBy(
            records,
            (at): Place => `${at.topic}/${at.partition}`,
          )) {
            const backend = backends.get(place)
            const position = await backend?.position()
            if (position === undefined) continue
            const writes = each.map(({ key, value }) => ({ key: key!.toString(), value }))
            await backend?.apply(writes, position)
          }
          return producer.sendGathered(gathered)
        },
      }),
  })
  return { ...parts, stateDirectory, cluster }
}
