import { expect, test } from 'vitest'
import { HardWorld, type Life } from './hard-world.ts'

const corruptionsOf = (life: Life) =>
  life.logged.filter(line => line['event'] === 'store-corrupted')

/** A running instance that has sent one mail. */
async function afterOneMail() {
  const world = new HardWorld()
  const life = world.start('a')
  world.publish('one')
  await world.until(() => world.committed('ends').length === 1)
  await world.pass(10_000)
  return { world, life }
}

function storesOf(world: HardWorld): (readonly [taskId: string, store: string])[] {
  return [...world.disk('a').contents.stores.keys()].map(path => {
    const [taskId = '', store = ''] = path.split('/')
    return [taskId, store] as const
  })
}

test('a store that breaks while it is open is restored from its changelog, and the instance goes on', async () => {
  const { world, life } = await afterOneMail()

  for (const [taskId, store] of storesOf(world)) world.disk('a').corrupt(taskId, store)
  world.publish('one')
  world.publish('two')
  world.publish('three')
  await world.until(() => world.committed('ends').length === 3)
  await world.pass(60_000)

  expect(life.over).toBe(false)
  expect(world.committed('unique').toSorted()).toEqual(['one', 'three', 'two'])
  expect([...world.relay.taken.values()]).toEqual([1, 1, 1])
  const names = corruptionsOf(life).map(line => `${String(line['task'])}/${String(line['store'])}`)
  expect(names.length).toBeGreaterThan(0)
  expect(new Set(names).size).toBe(names.length)
})

test('a store that breaks however often it is restored stops the instance, and names the disk', async () => {
  const { world, life } = await afterOneMail()
  const [taskId, store] = storesOf(world).find(([, name]) => name === 'seen')!

  for (let time = 0; !life.over && time < 100; time += 1) {
    if (!world.disk('a').contents.corrupted.has(`${taskId}/${store}`))
      world.disk('a').corrupt(taskId, store)
    world.publish(`more-${time}`)
    // About what is new nobody asks the disk.
    world.publish('more-0')
    await world.pass(1000)
  }

  expect(life.failure).toMatchObject({
    code: 'STORE_UNREADABLE',
    message: expect.stringContaining(`${taskId}/${store}`) as string,
  })
  expect(corruptionsOf(life)).toHaveLength(3)
})
