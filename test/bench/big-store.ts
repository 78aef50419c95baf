import { topicNames } from '../../src/email/topic-names.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { type BenchWorld, createTopic, openBenchWorld } from './bench-world.ts'
import { fillChangelog } from './fill-changelog.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { ScenarioOptions } from './scenario.ts'

export const manyKeys = 10_000_000

/** A world whose changelog knows many requests, a relay, and instances with disks of their own. */
export interface BigStore extends AsyncDisposable {
  readonly world: BenchWorld
  readonly keys: number
  /** The next request that nobody knows. */
  readonly unknown: () => number
  /** `name` is that of its disk, which stays. */
  start(name: string, flags?: readonly string[]): ProcessorProcess
}

export async function openBigStore(
  { keys = manyKeys, nodeFlags }: ScenarioOptions,
  fill = true,
): Promise<BigStore> {
  await using resources = new AsyncDisposableStack()
  const world = resources.use(await openBenchWorld())
  const relay = resources.use(await CountingSmtpProcess.start())
  await createTopic(world, topicNames.requested)
  if (fill) await fillChangelog(world, keys)
  let next = keys
  const parts = resources.move()
  return {
    world,
    keys,
    unknown: () => next++,
    start: (name, flags = []) =>
      new ProcessorProcess(
        [
          `--kafka=${world.kafka}`,
          `--schema-registry=${world.registryUrl}`,
          `--smtp=${relay.url}`,
          `--state-dir=${world.directory}/${name}`,
          ...flags,
        ],
        nodeFlags,
      ),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/** Looks again until it is so. */
export async function until(what: () => Promise<boolean>, everyMs = 200): Promise<void> {
  while (!(await what())) await pause(everyMs)
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
