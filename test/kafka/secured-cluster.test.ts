import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DevEnvironment } from '../../src/dev/dev-environment.ts'
import type { SaslOptions } from '../../src/kafka/options.ts'
import { kafkaClusterContract } from '../contract/kafka-cluster-contract.ts'
import { testCertificate } from '../support/smtp/test-certificate.ts'
import { startSecured, user } from './secured-environment.ts'
import { wireWorld } from './wire-world.ts'

const scram: SaslOptions = { mechanism: 'SCRAM-SHA-512', ...user }
const tls = { ca: testCertificate }

kafkaClusterContract('over TLS, with a password and access lists', async () => {
  const environment = await startSecured()
  const close = (): Promise<void> => environment[Symbol.asyncDispose]()
  return wireWorld(environment.kafka.bootstrapServers('SASL_SSL'), { tls, sasl: scram }, close)
})

describe('a secured cluster', () => {
  let environment: DevEnvironment
  beforeAll(async () => {
    environment = await startSecured()
  })
  afterAll(() => environment[Symbol.asyncDispose]())

  const connect = (options: Parameters<typeof wireWorld>[1]) =>
    wireWorld(environment.kafka.bootstrapServers('SASL_SSL'), {
      requestTimeoutMs: 1000,
      ...options,
    }).connect()

  test('lets us in with PLAIN as well', async () => {
    await using cluster = connect({ tls, sasl: { mechanism: 'PLAIN', ...user } })

    expect((await cluster.admin.describeTopics(['contract-none'])).size).toBe(0)
  })

  test.each(['PLAIN', 'SCRAM-SHA-512'] as const)(
    'refuses a wrong password, with %s',
    async mechanism => {
      await using cluster = connect({
        tls,
        sasl: { mechanism, username: user.username, password: 'wrong' },
      })

      await expect(cluster.admin.describeTopics(['contract-none'])).rejects.toMatchObject({
        code: 'AUTHORIZATION_FAILED',
        message: expect.not.stringContaining('wrong') as string,
      })
    },
  )

  test('is not reached when its certificate is not trusted, or without TLS', async () => {
    await using untrusting = connect({ tls: {}, sasl: scram })
    await using plain = connect({ sasl: scram })

    await expect(untrusting.admin.describeTopics([])).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    })
    await expect(plain.admin.describeTopics([])).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    })
  })

  test('refuses what its lists do not allow, and every part says so', async () => {
    await using cluster = connect({ tls, sasl: scram })
    const topic = 'forbidden'
    const refused = { code: 'AUTHORIZATION_FAILED' }
    await using producer = cluster.createProducer({
      transactionalId: topic,
      transactionTimeoutMs: 5000,
    })
    await using member = cluster.createMember({
      groupId: topic,
      groupInstanceId: null,
      topics: [topic],
      protocolName: 'test',
      assignor: () => Promise.resolve(new Map()),
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      heartbeatIntervalMs: 1000,
    })
    await using fetcher = cluster.createFetcher({
      maxWaitMs: 50,
      maxBytes: 1000,
      maxBytesPerPartition: 1000,
    })
    const ready = new Promise<void>(resolve => {
      fetcher.onReady(resolve)
    })
    fetcher.assign({ topic, partition: 0 }, 0)

    await expect(
      cluster.admin.createTopics([{ name: topic, partitions: 1, configs: {} }]),
    ).rejects.toMatchObject(refused)
    await expect(
      cluster.admin.committedOffsets(topic, [{ topic, partition: 0 }]),
    ).rejects.toMatchObject(refused)
    await expect(producer.init()).rejects.toMatchObject(refused)
    await expect(member.join(Buffer.alloc(0), new AbortController().signal)).rejects.toMatchObject(
      refused,
    )
    expect(member).toMatchObject({ status: 'stopped', failure: refused })
    await ready
    expect(() => fetcher.poll()).toThrow(expect.objectContaining(refused))
  })
})
