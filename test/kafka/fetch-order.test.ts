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
