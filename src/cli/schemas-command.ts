import { StreamsError } from '../errors.ts'
import { schemaText, schemaTopics, subjectOf } from '../email/schemas.ts'
import { schemaCompatibility, type SchemaCheck } from '../kafka/registry.ts'
import type { Invocation } from './command.ts'
import { openRegistry } from './connections.ts'

/** `schemas register`. */
export async function schemasRegisterCommand({
  configuration,
  terminal,
}: Invocation): Promise<number> {
  await using resources = new AsyncDisposableStack()
  const registry = await openRegistry(configuration.values, resources)
  for (const topic of schemaTopics) {
    const subject = subjectOf(topic)
    const id = await registry.register(subject, schemaText(topic))
    terminal.print(`${subject}: schema ${id}, ${schemaCompatibility}`)
  }
  return 0
}

/** `schemas check`: tells of every subject, fails if one would be refused or lacks its rule. */
export async function schemasCheckCommand({
  configuration,
  terminal,
}: Invocation): Promise<number> {
  await using resources = new AsyncDisposableStack()
  const registry = await openRegistry(configuration.values, resources)
  const checks: SchemaCheck[] = []
  for (const topic of schemaTopics)
    checks.push(await registry.check(subjectOf(topic), schemaText(topic)))
  for (const check of checks) terminal.print(`${check.subject}: ${checkText(check)}`)

  const refused = checks.filter(check => check.result === 'incompatible')
  if (refused.length > 0) {
    const names = refused.map(check => check.subject).join(', ')
    throw new StreamsError(
      'SCHEMA_INCOMPATIBLE',
      `the registry would refuse ${names}: give every new field a default, and remove or rename none that lacks one`,
    )
  }
  const loose = checks.filter(
    check => check.result !== 'missing' && check.compatibility !== schemaCompatibility,
  )
  if (loose.length > 0) {
    const names = loose.map(check => check.subject).join(', ')
    throw new StreamsError(
      'SCHEMA_INCOMPATIBLE',
      `${names} not under the rule ${schemaCompatibility}: set it with mailonce schemas register`,
    )
  }
  return 0
}

function checkText({ result, compatibility, messages }: SchemaCheck): string {
  const rule = compatibility ?? 'no rule of its own'
  const texts: Readonly<Record<SchemaCheck['result'], string>> = {
    registered: `registered, ${rule}`,
    compatible: `not registered, compatible with every version there is, ${rule}`,
    missing: 'not registered, nothing to be compatible with',
    incompatible: `incompatible: ${messages.join('; ')}`,
  }
  return texts[result]
}
