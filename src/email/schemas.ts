import { readFileSync } from 'node:fs'

/** Which schema file stands behind each topic of the contract. */
const schemaFiles = {
  'email.requested': 'email-requested.avsc',
  'email.dedup': 'email-requested.avsc',
  'email.sent': 'email-sent.avsc',
  'email.failed': 'email-failed.avsc',
  'email.callback': 'email-callback.avsc',
  'email.suppressed': 'email-suppressed.avsc',
} as const

export type SchemaTopic = keyof typeof schemaFiles

/** The topics whose values are Avro records of ours. */
export const schemaTopics: readonly SchemaTopic[] = Object.freeze(
  Object.keys(schemaFiles) as SchemaTopic[],
)

/** The registry's name for the schema of a topic's values (TopicNameStrategy). */
export function subjectOf(topic: SchemaTopic): string {
  return `${topic}-value`
}

/** The Avro schema of a topic's values as JSON text, as the package carries it. */
export function schemaText(topic: SchemaTopic): string {
  return readFileSync(new URL(`../../schemas/${schemaFiles[topic]}`, import.meta.url), 'utf8')
}
