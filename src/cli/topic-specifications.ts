import { topicNames } from '../email/topic-names.ts'
import type { TopicSpecification } from '../runtime/ports.ts'
import { unitsMs } from './parsers.ts'

export interface TopicSettings {
  readonly dedupWindowMs: number
  readonly partitions: number
  /** The broker's default when left out. */
  readonly replicationFactor?: number
}

/** Room for the headers that a request gets on its way from one topic to the next. */
export const headerBytesMax = 64 * 1024

/** Topics whose partitions one task reads together. */
export const readTogether: readonly (readonly string[])[] = Object.freeze([
  [topicNames.sent, topicNames.failed],
])

/** The contract's topics with the settings that its promises rest on. */
export function topicSpecifications(settings: TopicSettings): readonly TopicSpecification[] {
  const { dedupWindowMs, partitions, replicationFactor } = settings
  const topic = (name: string, retentionMs: number, timestamps: string): TopicSpecification => ({
    name,
    partitions,
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
    configs: {
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      'message.timestamp.type': timestamps,
    },
  })
  /** The last word about a key stays for ever. */
  const compacted = (name: string): TopicSpecification => {
    const { configs, ...rest } = topic(name, -1, 'CreateTime')
    return { ...rest, configs: { ...configs, 'cleanup.policy': 'compact' } }
  }
  return [
    topic(topicNames.requested, dedupWindowMs, 'LogAppendTime'),
    topic(topicNames.dedup, 2 * dedupWindowMs, 'LogAppendTime'),
    topic(topicNames.sent, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.failed, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.callback, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.bounces, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.deadLetter, 90 * unitsMs.d, 'CreateTime'),
    compacted(topicNames.suppressed),
    compacted(topicNames.webhooksDisabled),
  ]
}
