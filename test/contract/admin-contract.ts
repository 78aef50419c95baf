import { expect, test } from 'vitest'
import type { OpenScene } from './kafka-cluster-contract.ts'

export function adminContract(open: OpenScene): void {
  test('describes topics, and leaves out what is missing', async () => {
    const scene = await open({ 'retention.ms': '86400000' })
    const names = [scene.topic, `${scene.topic}-missing`]

    const topics = await scene.settle(scene.cluster.admin.describeTopics(names))
    const configs = await scene.settle(scene.cluster.admin.topicConfigs(names))

    expect([...topics.keys()]).toEqual([scene.topic])
    expect(topics.get(scene.topic)).toMatchObject({ name: scene.topic, partitions: 3 })
    expect(topics.get(scene.topic)?.topicId).not.toBe('')
    expect([...configs.keys()]).toEqual([scene.topic])
    expect(configs.get(scene.topic)?.get('retention.ms')).toBe('86400000')
  })

  test('creates what does not exist and leaves alone what does', async () => {
    const scene = await open()
    const other = `${scene.topic}-other`
    const before = await scene.settle(scene.cluster.admin.describeTopics([scene.topic]))

    await scene.settle(
      scene.cluster.admin.createTopics([
        { name: scene.topic, partitions: 5, configs: {} },
        { name: other, partitions: 2, configs: {} },
      ]),
    )

    const after = await scene.settle(scene.cluster.admin.describeTopics([scene.topic, other]))
    expect(after.get(scene.topic)).toEqual(before.get(scene.topic))
    expect(after.get(other)?.partitions).toBe(2)
  })

  test('a new topic can be written to at once', async () => {
    const scene = await open()
    const producer = await scene.producer()

    const ranges = await scene.settle(
      producer.send([0, 1, 2].map(partition => scene.record('x', partition))),
    )

    expect(ranges).toHaveLength(3)
  })

  test('the end of a partition counts what is in open transactions', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const partitions = [scene.at, { topic: scene.topic, partition: 1 }]
    await scene.settle(producer.send([scene.record('1'), scene.record('2')]))

    const ends = await scene.settle(scene.cluster.admin.endOffsets(partitions))
    const starts = await scene.settle(scene.cluster.admin.startOffsets(partitions))

    expect(Object.fromEntries(ends)).toEqual({ [`${scene.topic}/0`]: 2, [`${scene.topic}/1`]: 0 })
    expect(Object.fromEntries(starts)).toEqual({ [`${scene.topic}/0`]: 0, [`${scene.topic}/1`]: 0 })
  })
}
