import { expect, test } from 'vitest'
import { newDelivery } from '../../src/effects/delivery.ts'
import { endedKey, openKey, outboxStore } from '../../src/effects/outbox.ts'
import { outboxOf } from '../../src/runtime/task-store.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { GatedBackend } from './gated-backend.ts'

const definition = outboxStore('outbox', 1000) as StoreDefinition

const delivery = (identity: string) =>
  newDelivery(
    {
      identity,
      targets: ['a'],
      firstSeenMs: 0,
      notBeforeMs: null,
      expiresAtMs: null,
      inDoubt: 'hold',
      priority: 0,
    },
    { key: Buffer.from(identity), headers: [], payload: Buffer.from('bytes') },
  )

function outbox() {
  const backend = new GatedBackend()
  const overlaid = new OverlaidStore<unknown>(definition, backend)
  const store = { definition, backend, overlaid }
  const commit = async (offset: number): Promise<void> => {
    await backend.apply(overlaid.freeze(), { topicId: 'id', offset })
    overlaid.retire()
  }
  return { backend, overlaid, commit, reader: outboxOf(() => store) }
}

test('a commit that ends while the disk is read does not hide what was written before', async () => {
  const { backend, overlaid, commit, reader } = outbox()
  overlaid.put(openKey('r-1'), delivery('r-1'))

  backend.hold()
  const read = reader.read([openKey('r-1'), endedKey('r-1')])
  await commit(1)
  backend.letGo()

  expect((await read).map(each => each?.plan.identity)).toEqual(['r-1', undefined])
})

test('only what no overlay knows is read from the disk', async () => {
  const { backend, overlaid, commit, reader } = outbox()
  overlaid.put(openKey('r-1'), delivery('r-1'))
  await commit(1)
  overlaid.put(openKey('r-2'), delivery('r-2'))

  const read = await reader.read([openKey('r-1'), openKey('r-2')])

  expect(read.map(each => each?.plan.identity)).toEqual(['r-1', 'r-2'])
  expect(backend.reads).toEqual([[openKey('r-1')]])
})

test('what is deleted in an overlay is not there, whatever the disk says', async () => {
  const { overlaid, commit, reader } = outbox()
  overlaid.put(openKey('r-1'), delivery('r-1'))
  await commit(1)

  overlaid.delete(openKey('r-1'))

  expect(await reader.read([openKey('r-1')])).toEqual([undefined])
})
