import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { BatchSender } from '../../src/kafka/batch-sender.ts'
import { BrokerConnections } from '../../src/kafka/broker-connections.ts'
import { ClusterMetadata } from '../../src/kafka/cluster-metadata.ts'
import { resolveKafkaOptions } from '../../src/kafka/options.ts'
import { PartitionQueues } from '../../src/kafka/partition-queue.ts'
import { Sequences } from '../../src/kafka/sequences.ts'
import { TransactionRequests, noIdentity } from '../../src/kafka/transaction-requests.ts'
import { silentLogger } from '../../src/log.ts'
import { ContractScene } from '../contract/cluster-world.ts'
import { wireWorld } from './wire-world.ts'

// Only the first version counts on from one transaction to the next; the second begins anew with every epoch.
test('a broker follows a sequence over its end', async () => {
  await using environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: { formatArguments: ['--feature', 'transaction.version=1'] },
  })
  const bootstrapServers = environment.kafka.bootstrapServers()
  const scene = await ContractScene.open(wireWorld(bootstrapServers))
  const options = resolveKafkaOptions({
    bootstrapBrokers: bootstrapServers.split(','),
    clientId: 'test',
    clock: systemClock,
    log: silentLogger,
  })
  await using metadata = new ClusterMetadata(options)
  await using connections = new BrokerConnections(options, 10_000)
  const sequences = new Sequences()
  const producer = { transactionalId: scene.topic, transactionTimeoutMs: 30_000 }
  const requests = new TransactionRequests(options, producer, metadata, connections, sequences)
  const sender = new BatchSender(options, metadata, connections, sequences)
  const deadlineMs = systemClock.monotonicMs() + 30_000
  await requests.initialize(noIdentity, deadlineMs)
  // A partition without a history takes any first number.
  sequences.advance(`${scene.topic}/0`, 2 ** 31 - 2)

  for (const values of [['a', 'b', 'c'], ['d'], ['e', 'f']]) {
    const gathered = new PartitionQueues()
    for (const value of values) gathered.add(scene.record(value))
    const { queues } = gathered
    await requests.announcePartitions(queues, deadlineMs)
    const identity = { transactionalId: scene.topic, version2: false, ...requests.identity }
    await sender.send(queues, identity, deadlineMs)
    await requests.end(true, deadlineMs)
  }

  expect(sequences.next(`${scene.topic}/0`)).toBe(4)
  expect(await scene.values()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  await scene.close()
})
