import { StreamsError } from '../errors.ts'
import { topicNames } from '../email/topic-names.ts'
import type { ClusterAdmin, TopicSpecification } from '../runtime/ports.ts'
import {
  partitionDifferences,
  sizeDifferences,
  topicDifferences,
  type TopicDifference,
} from './topic-check.ts'
import { headerBytesMax, readTogether, topicSpecifications } from './topic-specifications.ts'

export interface CreateTopicsOptions {
  readonly admin: ClusterAdmin
  readonly dedupWindowMs: number
  /** Of topics that are made. @default 6, or what the topics have that are read together with it */
  readonly partitions?: number
  /** @default the broker's */
  readonly replicationFactor?: number
  /** One line for each topic and each difference. */
  readonly print: (line: string) => void
}

const partitionsDefault = 6
const sizeName = 'max.message.bytes'
/** The broker's own limit for the setting. */
const int32Max = 2 ** 31 - 1

/** Topics that get the recipients of a request with their replies, and its callback's context. */
const outcomes: ReadonlySet<string> = new Set([
  topicNames.sent,
  topicNames.failed,
  topicNames.callback,
])
/** An address and its reply are longer than the address. */
const outcomeFactor = 4

/** Topics that get whole requests out of `email.requested`. */
const passedOn: readonly string[] = [topicNames.dedup, topicNames.deadLetter]

/**
 * Creates the contract's topics that are missing and checks the others; never changes one. Throws TOPIC_MISMATCH when a
 * difference breaks a promise, after everything has been created and printed.
 */
export async function createTopics(options: CreateTopicsOptions): Promise<void> {
  const { admin, print } = options
  const specifications = topicSpecifications({
    ...options,
    partitions: options.partitions ?? partitionsDefault,
  })
  const names = specifications.map(each => each.name)
  const before = await admin.describeTopics(names)
  const counts = new Map([...before].map(([name, topic]) => [name, topic.partitions]))

  const create = async (missing: readonly TopicSpecification[]): Promise<void> => {
    const topics = missing.map(wanted => ({
      ...wanted,
      partitions: options.partitions ?? countBeside(wanted.name, counts) ?? wanted.partitions,
    }))
    if (topics.length > 0) await admin.createTopics(topics)
    for (const { name, partitions } of topics) {
      counts.set(name, partitions)
      print(`${name}: created with ${partitions} partitions`)
    }
  }
  const missing = specifications.filter(each => !before.has(each.name))
  await create(missing.filter(each => each.name === topicNames.requested))
  await create(
    await withRoom(
      admin,
      missing.filter(each => each.name !== topicNames.requested),
    ),
  )

  const configs = await admin.topicConfigs(names)
  const differences = [
    ...specifications.flatMap(wanted => {
      const found = before.get(wanted.name)
      return found === undefined
        ? []
        : topicDifferences(wanted, found, configs.get(wanted.name) ?? new Map())
    }),
    ...partitionDifferences(readTogether, counts),
    ...passedOn.flatMap(next =>
      sizeDifferences(topicNames.requested, next, headerBytesMax, configs),
    ),
  ]
  report(names, before, differences, print)
}

function report(
  names: readonly string[],
  before: ReadonlyMap<string, unknown>,
  differences: readonly TopicDifference[],
  print: (line: string) => void,
): void {
  for (const name of names) {
    const own = differences.filter(each => each.topic === name)
    if (before.has(name) && own.length === 0) print(`${name}: exists`)
    for (const { text, breaksPromise } of own)
      print(`${name}: exists, ${text}${breaksPromise ? ' (breaks a promise)' : ''}`)
  }
  const broken = differences.filter(each => each.breaksPromise)
  if (broken.length === 0) return
  throw new StreamsError(
    'TOPIC_MISMATCH',
    `${broken.map(each => `${each.topic} ${each.text}`).join('; ')}: alter the topic, for example with kafka-configs.sh`,
  )
}

/**
 * Requests go on with more headers, and so do dead letters: these topics take a little more than where the records came from.
 * Outcomes repeat every recipient with a reply: theirs take a multiple.
 */
async function withRoom(
  admin: ClusterAdmin,
  topics: readonly TopicSpecification[],
): Promise<readonly TopicSpecification[]> {
  const configs = await admin.topicConfigs([topicNames.requested])
  const taken = configs.get(topicNames.requested)?.get(sizeName)
  if (taken === undefined) return topics
  const roomOf = (name: string): number | undefined => {
    if (passedOn.includes(name)) return Number(taken) + headerBytesMax
    return outcomes.has(name) ? outcomeFactor * Number(taken) + headerBytesMax : undefined
  }
  return topics.map(each => {
    const room = roomOf(each.name)
    if (room === undefined) return each
    return { ...each, configs: { ...each.configs, [sizeName]: String(Math.min(room, int32Max)) } }
  })
}

function countBeside(name: string, counts: ReadonlyMap<string, number>): number | undefined {
  const group = readTogether.find(each => each.includes(name)) ?? []
  return group.map(each => counts.get(each)).find(count => count !== undefined)
}
