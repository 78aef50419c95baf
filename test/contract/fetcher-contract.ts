import { expect, test } from 'vitest'
import type { FetchedBatch, ProducedRecord } from '../../src/runtime/ports.ts'
import type { ContractScene } from './cluster-world.ts'
import type { OpenScene } from './kafka-cluster-contract.ts'

async function write(scene: ContractScene, ...records: ProducedRecord[]): Promise<void> {
  const producer = await scene.producer()
  await scene.settle(producer.send(records))
  await scene.settle(producer.commit())
}

/** Collects what every poll returns, from now on. */
function collect(scene: ContractScene) {
  const fetcher = scene.fetcher()
  const batches: FetchedBatch[] = []
  fetcher.onReady(() => batches.push(...fetcher.poll()))
  const values = (): string[] =>
    batches.flatMap(batch => batch.records.map(record => String(record.value)))
  return { fetcher, batches, values }
}

export function fetcherContract(open: OpenScene): void {
  test('follows the end of the log', async () => {
    const scene = await open()
    const { fetcher, values } = collect(scene)
    fetcher.assign(scene.at, 0)

    await write(scene, scene.record('1'))
    await scene.world.until(() => values().length === 1)
    await write(scene, scene.record('2'))
    await scene.world.until(() => values().length === 2)

    expect(values()).toEqual(['1', '2'])
  })

  test('moves on over markers and aborted data, and knows the ends of the log', async () => {
    const scene = await open()
    const producer = await scene.producer()
    await scene.settle(producer.send([scene.record('aborted')]))
    await scene.settle(producer.abort())

    const batches = await scene.readBatches(0, 2)

    expect(batches.flatMap(batch => batch.records)).toEqual([])
    expect(batches.at(-1)).toMatchObject({
      ...scene.at,
      nextOffset: 2,
      highWatermark: 2,
      logStartOffset: 0,
    })
  })

  test('reads several partitions at once', async () => {
    const scene = await open()
    const { fetcher, values } = collect(scene)
    await write(scene, scene.record('p0', 0), scene.record('p1', 1), scene.record('p2', 2))

    for (const partition of [0, 1, 2]) fetcher.assign({ topic: scene.topic, partition }, 0)
    await scene.world.until(() => values().length === 3)

    expect(values().toSorted()).toEqual(['p0', 'p1', 'p2'])
  })

  test('hands out nothing of a paused partition until it is resumed, and loses nothing of it', async () => {
    const scene = await open()
    const { fetcher, values } = collect(scene)
    const other = { topic: scene.topic, partition: 1 }
    fetcher.assign(scene.at, 0)
    fetcher.assign(other, 0)
    fetcher.pause(scene.at)

    await write(scene, scene.record('paused'), scene.record('running', 1))
    await scene.world.until(() => values().includes('running'))
    const before = values()
    fetcher.resume(scene.at)
    await scene.world.until(() => values().includes('paused'))

    expect(before).toEqual(['running'])
    expect(values()).toEqual(['running', 'paused'])
  })

  test('keeps what is buffered while paused', async () => {
    const scene = await open()
    await write(scene, scene.record('1'))
    const fetcher = scene.fetcher()
    let ready = 0
    fetcher.onReady(() => (ready += 1))
    fetcher.assign(scene.at, 0)
    await scene.world.until(() => ready > 0)

    fetcher.pause(scene.at)
    const paused = fetcher.poll()
    fetcher.resume(scene.at)
    const resumed = fetcher.poll()

    expect(paused).toEqual([])
    expect(resumed.flatMap(batch => batch.records.map(record => String(record.value)))).toEqual([
      '1',
    ])
  })

  test('hands out nothing of a partition that was given up, not even what is buffered', async () => {
    const scene = await open()
    await write(scene, scene.record('1'))
    const fetcher = scene.fetcher()
    let ready = 0
    fetcher.onReady(() => (ready += 1))
    fetcher.assign(scene.at, 0)
    await scene.world.until(() => ready > 0)

    fetcher.unassign(scene.at)

    expect(fetcher.poll()).toEqual([])
  })

  test('reads from the new position after another assign, and drops what was buffered', async () => {
    const scene = await open()
    await write(scene, scene.record('0'), scene.record('1'), scene.record('2'))
    const fetcher = scene.fetcher()
    const batches: FetchedBatch[] = []
    let ready = 0
    fetcher.onReady(() => (ready += 1))
    fetcher.assign(scene.at, 0)
    await scene.world.until(() => ready > 0)

    fetcher.assign(scene.at, 2)
    batches.push(...fetcher.poll())
    fetcher.onReady(() => batches.push(...fetcher.poll()))
    await scene.world.until(() => batches.length > 0)

    expect(batches.flatMap(batch => batch.records.map(record => String(record.value)))).toEqual([
      '2',
    ])
  })

  test('never jumps: a position that is not in the log is an error that names it', async () => {
    const scene = await open()
    await write(scene, scene.record('1'))
    const fetcher = scene.fetcher()
    let ready = 0
    fetcher.onReady(() => (ready += 1))

    fetcher.assign(scene.at, 1000)
    await scene.world.until(() => ready > 0)

    const outOfRange = {
      code: 'OFFSET_OUT_OF_RANGE',
      message: expect.stringMatching(/topic\/0.*1000.*starts at 0/u) as string,
    }
    expect(() => fetcher.poll()).toThrow(expect.objectContaining(outOfRange))
    expect(() => fetcher.poll()).toThrow(expect.objectContaining(outOfRange))
    fetcher.assign(scene.at, 0)
    await scene.world.until(() => fetcher.poll().length > 0)
  })

  test('a closed fetcher says so', async () => {
    const scene = await open()
    const fetcher = scene.fetcher()
    await scene.settle(fetcher.close())
    await scene.settle(fetcher.close())

    expect(() => fetcher.poll()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
}
