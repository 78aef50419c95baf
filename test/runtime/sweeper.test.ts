import { expect, test } from 'vitest'
import type { OwnedTask } from '../../src/runtime/owned-tasks.ts'
import { newSweep, Sweeper } from '../../src/runtime/sweeper.ts'
import { utf8Serde } from '../../src/serde.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import type { StoreDefinition } from '../../src/state/store.ts'

/** The first character says whether it has expired. */
const mixed: StoreDefinition<string> = {
  name: 'mixed',
  kind: 'memory',
  value: utf8Serde,
  changelogConfigs: {},
  expiresAtMs: (_key, value) => (value.startsWith('x') ? 0 : Infinity),
}

/** What the sweep has deleted after so many steps. */
async function swept(
  values: readonly string[],
  steps: number,
  stepMs = 100,
): Promise<readonly string[]> {
  const backend = new MemoryStoreBackend()
  const writes = values.map((value, index) => ({
    key: String(index).padStart(4, '0'),
    value: Buffer.from(value),
  }))
  await backend.apply(writes, { topicId: 'id', offset: 1 })
  const overlaid = new OverlaidStore(mixed, backend)
  const store = { definition: mixed, overlaid, sweep: newSweep() }
  const task = { environment: { streamTimeMs: 1000 }, stores: new Map([['mixed', store]]) }
  const sweeper = new Sweeper()
  for (let step = 0; step < steps; step += 1)
    await sweeper.step([{ task } as unknown as OwnedTask], step * stepMs)
  return overlaid.freeze().map(({ key }) => key)
}

test('what has expired is deleted, a few hundred entries at a step', async () => {
  const values = Array.from({ length: 450 }, (_, index) => (index % 200 === 0 ? 'x' : 'stays'))

  expect(await swept(values, 1)).toEqual(['0000'])
  expect(await swept(values, 3)).toEqual(['0000', '0200', '0400'])
})

test.each([
  { share: 'half of what it met', every: 2, apartMs: 10 },
  { share: 'a third', every: 3, apartMs: 100 },
  { share: 'nothing', every: 1000, apartMs: 500 },
])('the next step comes after $apartMs ms where $share was due', async ({ every, apartMs }) => {
  const values = Array.from({ length: 400 }, (_, index) =>
    index % every === every - 1 ? 'x' : 'stays',
  )
  const inFirst = values.slice(0, 200).filter(each => each === 'x').length
  // Every fifth of the way to the second step, which meets one that is due in any case.
  const due = values.with(399, 'x')
  const inBoth = due.filter(each => each === 'x').length

  expect(await swept(due, 5, apartMs / 5)).toHaveLength(inFirst)
  expect(await swept(due, 6, apartMs / 5)).toHaveLength(inBoth)
})

test('a page that is short because its entries are large is not the end of the round', async () => {
  const large = `stays${' '.repeat(5 * 1024 * 1024)}`

  expect(await swept([large, large, large, 'x'], 2, 500)).toEqual(['0003'])
})
