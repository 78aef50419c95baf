import { expect, test } from 'vitest'
import { createTopics } from '../../src/cli/create-topics.ts'
import { describeError, errorCodeOf } from '../../src/errors.ts'
import type { ClusterAdmin, TopicDescription, TopicSpecification } from '../../src/runtime/ports.ts'

const dayMs = 86_400_000
const brokerDefaults = { 'max.message.bytes': '1048588', 'retention.ms': '604800000' }

/** A cluster that knows nothing but topics and their settings. */
class TopicAdmin implements Pick<ClusterAdmin, 'describeTopics' | 'topicConfigs' | 'createTopics'> {
  readonly topics = new Map<string, TopicSpecification>()

  async describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicDescription>> {
    return new Map(
      this.#known(names).map(({ name, partitions }) => [
        name,
        { name, partitions, topicId: `id-${name}` },
      ]),
    )
  }

  async topicConfigs(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    return new Map(
      this.#known(names).map(each => [
        each.name,
        new Map(Object.entries({ ...brokerDefaults, ...each.configs })),
      ]),
    )
  }

  async createTopics(topics: readonly TopicSpecification[]): Promise<void> {
    for (const topic of topics) this.topics.set(topic.name, topic)
  }

  change(name: string, change: Partial<TopicSpecification>): void {
    const topic = this.topics.get(name)
    if (topic === undefined) throw new Error(`no ${name}`)
    this.topics.set(name, { ...topic, ...change, configs: { ...topic.configs, ...change.configs } })
  }

  #known(names: readonly string[]): TopicSpecification[] {
    return names.flatMap(name => this.topics.get(name) ?? [])
  }
}

async function run(
  admin: TopicAdmin,
  options: { partitions?: number; replicationFactor?: number } = {},
): Promise<{ printed: string[]; failure: string | undefined }> {
  const printed: string[] = []
  const failure = await createTopics({
    admin: admin as unknown as ClusterAdmin,
    dedupWindowMs: 7 * dayMs,
    print: line => printed.push(line),
    ...options,
  }).then(
    () => undefined,
    (error: unknown) => {
      if (errorCodeOf(error) === 'TOPIC_MISMATCH') return describeError(error)
      throw error
    },
  )
  return { printed, failure }
}

async function created(): Promise<TopicAdmin> {
  const admin = new TopicAdmin()
  await run(admin)
  return admin
}

test('creates the topics of the contract with their settings', async () => {
  const admin = await created()

  const settings = [...admin.topics.values()].map(
    ({ name, partitions, replicationFactor, configs }) => [
      name,
      partitions,
      replicationFactor,
      Number(configs['retention.ms']) / dayMs,
      configs['message.timestamp.type'],
      configs['cleanup.policy'],
    ],
  )
  expect(settings).toEqual([
    ['email.requested', 6, undefined, 7, 'LogAppendTime', 'delete'],
    ['email.dedup', 6, undefined, 14, 'LogAppendTime', 'delete'],
    ['email.sent', 6, undefined, 30, 'CreateTime', 'delete'],
    ['email.failed', 6, undefined, 30, 'CreateTime', 'delete'],
    ['email.callback', 6, undefined, 30, 'CreateTime', 'delete'],
    ['email.bounces', 6, undefined, 30, 'CreateTime', 'delete'],
    ['email.dead-letter', 6, undefined, 90, 'CreateTime', 'delete'],
    ['email.suppressed', 6, undefined, -1 / dayMs, 'CreateTime', 'compact'],
    ['email.webhooks-disabled', 6, undefined, -1 / dayMs, 'CreateTime', 'compact'],
  ])
})

test('what email.requested takes, email.dedup and the dead letters take with more headers', async () => {
  const admin = await created()

  for (const name of ['email.dedup', 'email.dead-letter']) {
    expect(Number(admin.topics.get(name)?.configs['max.message.bytes'])).toBeGreaterThan(
      1_048_588 + 10_000,
    )
  }
})

test('a second time changes nothing and finds nothing', async () => {
  const admin = await created()
  const before = new Map(admin.topics)

  const { printed, failure } = await run(admin)

  expect(failure).toBeUndefined()
  expect(admin.topics).toEqual(before)
  expect(printed[0]).toBe('email.requested: exists')
})

test('partitions and replicas of new topics can be chosen', async () => {
  const admin = new TopicAdmin()

  await run(admin, { partitions: 12, replicationFactor: 3 })

  for (const topic of admin.topics.values())
    expect(topic).toMatchObject({ partitions: 12, replicationFactor: 3 })
})

test('a new topic gets as many partitions as the one it is read with', async () => {
  const admin = await created()
  admin.change('email.sent', { partitions: 3 })
  admin.topics.delete('email.failed')

  const { failure } = await run(admin)

  expect(failure).toBeUndefined()
  expect(admin.topics.get('email.failed')?.partitions).toBe(3)
})

test.each<{ rule: string; topic: string; change: Partial<TopicSpecification>; says: string }>([
  {
    rule: 'more partitions',
    topic: 'email.requested',
    change: { partitions: 12 },
    says: 'has 12 partitions, not 6',
  },
  {
    rule: 'longer retention',
    topic: 'email.sent',
    change: { configs: { 'retention.ms': '-1' } },
    says: 'has retention.ms for ever, not 30d',
  },
])('$rule is named and allowed', async ({ topic, change, says }) => {
  const admin = await created()
  admin.change(topic, change)

  const { printed, failure } = await run(admin)

  expect(failure).toBeUndefined()
  expect(printed).toContain(`${topic}: exists, ${says}`)
})

test.each<{ topic: string; configs: Record<string, string>; says: string }>([
  {
    topic: 'email.requested',
    configs: { 'retention.ms': String(dayMs) },
    says: 'has retention.ms 1d, not 7d',
  },
  {
    topic: 'email.requested',
    configs: { 'message.timestamp.type': 'CreateTime' },
    says: 'has message.timestamp.type CreateTime, not LogAppendTime',
  },
  {
    topic: 'email.sent',
    configs: { 'cleanup.policy': 'compact' },
    says: 'has cleanup.policy compact, not delete',
  },
  {
    topic: 'email.dedup',
    configs: { 'max.message.bytes': '1000' },
    says: 'has max.message.bytes 1000, but email.requested takes 1048588',
  },
])('$topic that $says breaks a promise', async ({ topic, configs, says }) => {
  const admin = await created()
  admin.change(topic, { configs })

  const { printed, failure } = await run(admin)

  expect(failure).toContain(`${topic} ${says}`)
  expect(printed.find(line => line.includes(says))).toContain('(breaks a promise)')
})

test('outcomes that are read together must have as many partitions', async () => {
  const admin = await created()
  admin.change('email.failed', { partitions: 3 })

  const { failure } = await run(admin)

  expect(failure).toContain('(email.sent 6, email.failed 3)')
})
