import { expect, test } from 'vitest'
import { createLaterTopics } from '../../src/cli/later-topics.ts'
import { topicNames } from '../../src/email/topic-names.ts'
import type { LogFields } from '../../src/log.ts'
import { silentLogger } from '../../src/log.ts'
import { Simulation } from '../../src/testing/simulation.ts'

const { requested, dedup, sent, failed, callback, deadLetter, ...later } = topicNames
const first = [requested, dedup, sent, failed, callback, deadLetter]
const windowMs = 7 * 86_400_000

test('topics of later releases are made where they are missing, and nothing else is', async () => {
  const simulation = new Simulation({ seed: 1 })
  for (const name of first) simulation.broker.createTopic({ name, partitions: 3, configs: {} })
  const { admin } = simulation.connect(simulation.startProcess('a'))
  const told: unknown[] = []
  const log = { ...silentLogger, info: (fields: LogFields) => told.push(fields['topics']) }

  await simulation.settle(createLaterTopics(admin, windowMs, log))
  await simulation.settle(createLaterTopics(admin, windowMs, log))

  expect(told).toEqual([expect.arrayContaining(Object.values(later))])
  for (const name of Object.values(later)) expect(simulation.broker.topic(name)?.partitions).toBe(6)
  for (const name of first) expect(simulation.broker.topic(name)?.partitions).toBe(3)
})

test('the first ones are not made: whoever runs without them has not set anything up', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { admin } = simulation.connect(simulation.startProcess('a'))

  await simulation.settle(createLaterTopics(admin, windowMs, silentLogger))

  for (const name of first) expect(simulation.broker.topic(name)).toBeUndefined()
})
