import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { FetchedBatch } from '../../src/runtime/ports.ts'
import { Standby } from '../../src/runtime/standby.ts'
import { restoreFetch } from '../../src/runtime/task-store.ts'
import { changelog } from './changelog-world.ts'
import { TaskWorld } from './task-world.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const batchAt = (offset: number): FetchedBatch => {
  const key = Buffer.from('a')
  const record = { ...changelog, offset, timestampMs: 0, key, value: key, headers: [] }
  const nextOffset = offset + 1
  return {
    ...changelog,
    records: [record],
    nextOffset,
    highWatermark: nextOffset,
    logStartOffset: 0,
  }
}

test('a copy that has followed for long remembers nothing of what it applied', async () => {
  const world = await TaskWorld.created()
  const { simulation, context } = world
  let failNext = true
  const open = context.stateDirectory.open.bind(context.stateDirectory)
  context.stateDirectory.open = async (id, definition) => {
    const backend = await open(id, definition)
    const apply = backend.apply.bind(backend)
    backend.apply = async (...write) => {
      if (!failNext) return apply(...write)
      failNext = false
      throw new Error('not now')
    }
    return backend
  }
  const standby = new Standby(context, 'in_0', world.topology.subTopologies[0]!, 0)
  const fetcher = world.cluster.createFetcher(restoreFetch)
  await simulation.settle(standby.open(fetcher))
  const applied = async (offset: number): Promise<WeakRef<Error> | undefined> =>
    simulation.settle(
      standby.apply(batchAt(offset)).then(
        () => undefined,
        (error: Error) => new WeakRef(error),
      ),
    )

  const failure = await applied(0)
  for (let offset = 0; offset < 10; offset += 1) await applied(offset)
  await simulation.settle(Promise.resolve())
  collect()

  expect(failure).toBeDefined()
  expect(failure?.deref()).toBeUndefined()
  await simulation.settle(standby.close(fetcher))
  await simulation.settle(fetcher.close())
})
