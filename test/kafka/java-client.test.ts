import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { ContractScene } from '../contract/cluster-world.ts'
import { consoleConsumer, kafkaTool } from './java-tools.ts'
import { wireWorld } from './wire-world.ts'

const bootstrapServers = inject('kafkaBootstrapServers')

describe('Kafka’s own tools', { timeout: 120_000 }, () => {
  let scene: ContractScene
  beforeEach(async () => {
    scene = await ContractScene.open(wireWorld(bootstrapServers))
  })
  afterEach(() => scene.close())

  test('read what was committed, and nothing else', async () => {
    const producer = await scene.producer()
    await producer.send([scene.record('dropped'), scene.record('dropped', 1)])
    await producer.abort()
    const [first] = await producer.send([
      scene.record('a'),
      { ...scene.record('b'), key: null, value: null },
      { ...scene.record('c'), headers: [{ key: 'h', value: null }] },
    ])
    await producer.commit()
    await producer.send([scene.record('dropped')])
    await producer.abort()
    const [last] = await producer.send([scene.record('last')])
    await producer.commit()

    const lines = await consoleConsumer(bootstrapServers, scene.topic, 4)

    const from = first!.firstOffset
    expect(lines).toEqual([
      `0|${from}|a|a`,
      `0|${from + 1}|null|null`,
      `0|${from + 2}|c|c`,
      `0|${last!.firstOffset}|last|last`,
    ])
  })

  test('read several megabytes of one send, and one of a topic that takes little at a time', async () => {
    const producer = await scene.producer()
    const small = `${scene.topic}-small`
    const configs = { 'max.message.bytes': '20000' }
    await scene.cluster.admin.createTopics([{ name: small, partitions: 1, configs }])
    const large = Array.from({ length: 40 }, (_, index) =>
      scene.record(`${index}-`.padEnd(90_000, '.')),
    )
    const many = Array.from({ length: 300 }, (_, index) => ({
      ...scene.record(`${index}-`.padEnd(1000, '.')),
      topic: small,
    }))

    const ranges = await producer.send([...large, ...many])
    await producer.commit()

    expect(ranges).toEqual([
      { ...scene.at, firstOffset: 0, lastOffset: 39 },
      { topic: small, partition: 0, firstOffset: 0, lastOffset: 299 },
    ])
    const values = async (topic: string, count: number) => {
      const lines = await consoleConsumer(bootstrapServers, topic, count)
      const parts = lines.map(line => line.split('|'))
      return parts
        .map(part => [Number(part[1]), part[3]?.split('-')[0]])
        .toSorted((a, b) => Number(a[0]) - Number(b[0]))
    }
    expect(await values(scene.topic, 40)).toEqual(large.map((_, index) => [index, String(index)]))
    expect(await values(small, 300)).toEqual(many.map((_, index) => [index, String(index)]))
  })

  test('describe the group and what its members have', async () => {
    const member = scene.member()
    await scene.join(member)

    const output = await kafkaTool(
      'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
      `--bootstrap-server ${bootstrapServers} --describe --group ${scene.groupId} --members --verbose`,
    )

    expect(output).toContain(member.generation!.memberId)
    expect(output).toContain(`${scene.topic}:0`)
  })
})

describe('what a broker refuses', () => {
  let scene: ContractScene
  beforeEach(async () => {
    scene = await ContractScene.open(wireWorld(bootstrapServers))
  })
  afterEach(() => scene.close())

  test('a record that is larger than the topic takes is an error, and the producer goes on after an abort', async () => {
    const producer = await scene.producer()

    const refused = producer.send([scene.record('x'.repeat(2_000_000))])

    await expect(refused).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
    await expect(producer.commit()).rejects.toMatchObject({ code: 'INTERNAL' })
    await producer.abort()
    await producer.send([scene.record('next')])
    await producer.commit()
    expect(await scene.values()).toEqual(['next'])
  })

  test('a topic that cannot be made is a wrong configuration', async () => {
    const topics = [{ name: `${scene.topic}-2`, partitions: 1, replicationFactor: 7, configs: {} }]

    await expect(scene.cluster.admin.createTopics(topics)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
    })
  })

  test('a broker that is not there is unavailable once the time is up', async () => {
    await using cluster = wireWorld('127.0.0.1:1', { requestTimeoutMs: 300 }).connect()

    await expect(cluster.admin.describeTopics(['any'])).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    })
  })

  test('a producer that was never initialised is a bug', async () => {
    await using producer = scene
      .connect()
      .createProducer({ transactionalId: scene.topic, transactionTimeoutMs: 1000 })

    await expect(producer.send([scene.record('x')])).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})
