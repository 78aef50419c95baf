import type { TopicDescription, TopicSpecification } from '../runtime/ports.ts'
import { durationText } from './parsers.ts'

/** How a topic differs from what is promised. */
export interface TopicDifference {
  readonly topic: string
  readonly text: string
  /** False for a choice that somebody may make: more partitions, longer retention. */
  readonly breaksPromise: boolean
}

/** Compares one existing topic with its specification; every setting that the specification names is looked at. */
export function topicDifferences(
  wanted: TopicSpecification,
  found: TopicDescription,
  configs: ReadonlyMap<string, string>,
): TopicDifference[] {
  const topic = wanted.name
  const differences: TopicDifference[] = []
  if (found.partitions !== wanted.partitions) {
    const text = `has ${found.partitions} partitions, not ${wanted.partitions}`
    differences.push({ topic, text, breaksPromise: false })
  }
  for (const [name, value] of Object.entries(wanted.configs)) {
    const actual = configs.get(name)
    if (actual === undefined || actual === value) continue
    const isTime = name === 'retention.ms'
    const text = `has ${name} ${isTime ? retentionText(actual) : actual}, not ${isTime ? retentionText(value) : value}`
    differences.push({
      topic,
      text,
      breaksPromise: !isTime || retentionOf(actual) < retentionOf(value),
    })
  }
  return differences
}

/** Topics whose partitions are read together must have as many of them. */
export function partitionDifferences(
  groups: readonly (readonly string[])[],
  partitions: ReadonlyMap<string, number>,
): TopicDifference[] {
  return groups.flatMap(group => {
    const known = group.filter(topic => partitions.has(topic))
    const counts = new Set(known.map(topic => partitions.get(topic)))
    if (counts.size < 2) return []
    const list = known.map(topic => `${topic} ${partitions.get(topic)}`).join(', ')
    const text = `has to have as many partitions as the topics it is read with (${list})`
    return [{ topic: known[0] ?? '', text, breaksPromise: true }]
  })
}

/** The request goes on to the accepted ones with more headers: what one topic takes, the next has to take. */
export function sizeDifferences(
  from: string,
  to: string,
  headerBytes: number,
  configs: ReadonlyMap<string, ReadonlyMap<string, string>>,
): TopicDifference[] {
  const name = 'max.message.bytes'
  const [first, next] = [configs.get(from)?.get(name), configs.get(to)?.get(name)].map(Number)
  if (first === undefined || next === undefined || !(next < first + headerBytes)) return []
  const text = `has ${name} ${next}, but ${from} takes ${first}: it needs ${headerBytes} more than that for headers`
  return [{ topic: to, text, breaksPromise: true }]
}

function retentionOf(text: string): number {
  const milliseconds = Number(text)
  return milliseconds < 0 ? Infinity : milliseconds
}

function retentionText(text: string): string {
  return Number(text) < 0 ? 'for ever' : durationText(Number(text))
}
