import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesSerde } from '../../src/serde.ts'
import type { StoreDefinition } from '../../src/state/store.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { storeContract } from '../contract/store-contract.ts'

const seen: StoreDefinition<Buffer> = {
  name: 'seen',
  kind: 'rocksdb',
  value: bytesSerde,
  changelogConfigs: {},
}
const at = (offset: number) => ({ topicId: 'topic', offset })
const write = (key: string, value: string) => ({ key, value: Buffer.from(value) })
const address = (token: string) => ({ token, identity: token, topic: 'commands', partition: 0 })

function machine(seed = 1) {
  const world = new Simulation({ seed })
  const disk = new SimulatedDisk(world.network)
  return { world, disk }
}

describe('a simulated disk', () => {
  test('keeps what was applied when the process is killed, with its position', async () => {
    const { world, disk } = machine()
    const first = world.startProcess('a')
    const before = await world.settle(disk.mount(first).open('task_0', seen))
    await world.settle(before.apply([write('k', 'v')], at(7)))

    first.kill()
    const after = await world.settle(disk.mount(world.startProcess('a')).open('task_0', seen))

    expect(await world.settle(after.getMany(['k', 'none']))).toEqual([Buffer.from('v'), undefined])
    expect(await world.settle(after.position())).toEqual(at(7))
  })

  test('has all of a batch or nothing when the process dies in it; both happen', async () => {
    const found = new Set<string>()
    for (let seed = 1; seed <= 30; seed += 1) {
      const { world, disk } = machine(seed)
      const process = world.startProcess('a')
      const store = await world.settle(disk.mount(process).open('task_0', seen))
      void store.apply([write('k1', '1'), write('k2', '2')], at(2))
      await world.run({ stepsMax: seed % 2 })

      process.kill()
      await world.run()
      const reader = await world.settle(disk.mount(world.startProcess('b')).open('task_0', seen))
      const values = await world.settle(reader.getMany(['k1', 'k2']))
      const position = await world.settle(reader.position())
      found.add([...values.map(String), position?.offset].join())
    }
    expect(found).toEqual(new Set(['1,2,2', 'undefined,undefined,']))
  })

  test('keeps nothing of a store in memory', async () => {
    const { world, disk } = machine()
    const inMemory = { ...seen, kind: 'memory' as const }
    const directory = disk.mount(world.startProcess('a'))
    const before = await world.settle(directory.open('task_0', inMemory))
    await world.settle(before.apply([write('k', 'v')], at(1)))
    await before.close()

    const after = await world.settle(directory.open('task_0', inMemory))

    expect(await world.settle(after.position())).toBeUndefined()
  })

  test('belongs to one live process', async () => {
    const { world, disk } = machine()
    const owner = world.startProcess('a')
    const directory = disk.mount(owner)
    await world.settle(directory.open('task_0', seen))

    expect(() => disk.mount(world.startProcess('b'))).toThrow(
      expect.objectContaining({ code: 'STATE_LOCKED' }),
    )
    await expect(directory.open('task_0', seen)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
    await directory.close()
    expect(() => disk.mount(world.startProcess('b'))).not.toThrow()
  })

  test('can be lost, corrupted and full', async () => {
    const { world, disk } = machine()
    const process = world.startProcess('a')
    const directory = disk.mount(process)
    const id = await world.settle(directory.remember('instance-id', () => 'one'))
    const store = await world.settle(directory.open('task_0', seen))
    await world.settle(store.apply([write('k', 'v')], at(1)))
    disk.full = true
    const applying = store.apply([write('k', 'w')], at(2))
    await expect(world.settle(applying)).rejects.toMatchObject({ code: 'DISK_FULL' })
    disk.full = false
    const remembered = await world.settle(directory.remember('instance-id', () => 'two'))
    await store.close()
    disk.corrupt('task_0', 'seen')
    const opening = directory.open('task_0', seen)
    await expect(world.settle(opening)).rejects.toMatchObject({ code: 'STORE_CORRUPTED' })
    await world.settle(directory.destroy('task_0', seen))
    const empty = await world.settle(directory.open('task_0', seen))
    const position = await world.settle(empty.position())

    process.kill()
    disk.lose()
    const other = disk.mount(world.startProcess('a'))

    expect([id, remembered, position]).toEqual(['one', 'one', undefined])
    expect(await world.settle(other.remember('instance-id', () => 'three'))).toBe('three')
  })
})

describe('a simulated journal', () => {
  test('tells the next life what was not settled: never performed, answered, but not in doubt', async () => {
    const { world, disk } = machine()
    const process = world.startProcess('a')
    const journal = disk.openJournal(process)
    journal.attempts(['undotted', 'silent', 'answered', 'settled'].map(address))
    await world.settle(journal.dots(['silent', 'answered', 'settled']))
    journal.reply('answered', 'done', '250 ok', 5)
    journal.reply('settled', 'done', '250 ok', 5)
    journal.settled(['settled'])
    await world.run()

    process.kill()
    const { evidence } = disk.openJournal(world.startProcess('a'))

    expect(evidence).toMatchObject([
      { token: 'undotted', outcome: 'abandoned' },
      { token: 'answered', outcome: 'done', reply: '250 ok', atMs: 5 },
    ])
  })

  test('has a dot before it says so, and may have one that it never confirmed', async () => {
    const counts = { dotted: 0, undotted: 0 }
    for (let seed = 1; seed <= 30; seed += 1) {
      const { world, disk } = machine(seed)
      const process = world.startProcess('a')
      const journal = disk.openJournal(process)
      journal.attempts([address('t')])
      await world.run()
      void journal.dots(['t'])
      await world.run({ stepsMax: 0 })

      process.kill()
      const { evidence } = disk.openJournal(world.startProcess('a'))
      counts[evidence.length === 0 ? 'dotted' : 'undotted'] += 1
    }
    expect(counts.dotted).toBeGreaterThan(3)
    expect(counts.undotted).toBeGreaterThan(3)
  })

  test('refuses every dot after a line that found no room', async () => {
    const { world, disk } = machine()
    const journal = disk.openJournal(world.startProcess('a'))
    disk.full = true
    journal.attempts([address('t')])
    await world.run()
    disk.full = false

    await expect(world.settle(journal.dots(['t']))).rejects.toMatchObject({ code: 'DISK_FULL' })
  })
})

describe('on a simulation that runs by itself', () => {
  const { world, disk } = machine()
  const directory = disk.mount(world.startProcess('a'))
  let running: AsyncDisposable
  let stores = 0
  beforeAll(() => {
    running = world.scheduler.runInBackground()
  })
  afterAll(() => running[Symbol.asyncDispose]())

  storeContract('simulated disk', () => {
    stores += 1
    return directory.open(`task_${stores}`, seen)
  })
})
