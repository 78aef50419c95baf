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
  const suppressed = topic(topicNames.suppressed, -1, 'CreateTime')
  return [
    topic(topicNames.requested, dedupWindowMs, 'LogAppendTime'),
    topic(topicNames.dedup, 2 * dedupWindowMs, 'LogAppendTime'),
    topic(topicNames.sent, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.failed, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.callback, 30 * unitsMs.d, 'CreateTime'),
    topic(topicNames.deadLetter, 90 * unitsMs.d, 'CreateTime'),
    // The last word on an address stays for ever.
    { ...suppressed, configs: { ...suppressed.configs, 'cleanup.policy': 'compact' } },
  ]
}
