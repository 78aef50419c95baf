import { StreamsError } from '../errors.ts'
import type { FlagValues, Invocation } from './command.ts'
import { openCluster } from './connections.ts'
import { createTopics } from './create-topics.ts'
import { wholeNumber } from './parsers.ts'

/** `topics create`. */
export async function topicsCreateCommand({
  configuration,
  flags,
  terminal,
}: Invocation): Promise<number> {
  const partitions = numberFlag(flags, 'partitions', 10_000)
  const replicationFactor = numberFlag(flags, 'replication-factor', 100)
  await using resources = new AsyncDisposableStack()
  const { admin } = await openCluster(configuration.values, resources)
  await createTopics({
    admin,
    dedupWindowMs: configuration.values.dedupWindow,
    ...(partitions === undefined ? {} : { partitions }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
    print: line => terminal.print(line),
  })
  return 0
}

function numberFlag(flags: FlagValues, name: string, max: number): number | undefined {
  const text = flags.get(name)?.[0]
  if (text === undefined) return undefined
  const parser = wholeNumber({ min: 1, max })
  const value = parser.parse(text)
  if (value !== undefined) return value
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `--${name}: ${JSON.stringify(text)} is not ${parser.allowed}`,
  )
}
