import { expect, inject, test } from 'vitest'
import { ContractScene } from '../contract/cluster-world.ts'
import { wireWorld } from './wire-world.ts'

test('polls begin with another partition each time, so that none starves', async () => {
  const scene = await ContractScene.open(wireWorld(inject('kafkaBootstrapServers')))
  const producer = await scene.producer()
  await producer.send([scene.record('a'), scene.record('b', 1)])
  await producer.commit()
  const fetcher = scene.fetcher()
  const both = [0, 1].map(partition => ({ topic: scene.topic, partition }))
  const readBoth = (): void => both.forEach(at => fetcher.assign(at, 0))
  readBoth()
  const firsts: number[] = []

  await scene.world.until(() => {
    const batches = fetcher.poll()
    if (batches.length === 2) firsts.push(batches[0]!.partition)
    if (batches.length > 0) readBoth()
    return firsts.length === 10
  })

  expect(new Set(firsts)).toEqual(new Set([0, 1]))
  await scene.close()
})

test('who is told that something has come, and reads a little each time, is told of all of it', async () => {
  const scene = await ContractScene.open(wireWorld(inject('kafkaBootstrapServers')))
  const producer = await scene.producer()
  const values = ['a', 'b', 'c', 'd']
  for (const value of values) {
    await producer.send([scene.record(value), scene.record(value)])
    await producer.commit()
  }
  const fetcher = scene.fetcher({ recordsPerPoll: 1 })
  const pieces: string[][] = []
  fetcher.onReady(() => {
    for (const { records } of fetcher.poll()) pieces.push(records.map(each => String(each.value)))
  })

  fetcher.assign(scene.at, 0)
  await scene.world.until(() => pieces.flat().length === 8)

  expect(pieces.filter(each => each.length > 0)).toEqual(values.map(each => [each, each]))
  await scene.close()
})
