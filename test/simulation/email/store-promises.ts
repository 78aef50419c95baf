import { contentHash } from '../../../src/email/content-hash.ts'
import { dedupEntrySerde } from '../../../src/email/dedup-store.ts'
import { outcomeEntrySerde, outcomeKey } from '../../../src/email/outcome-store.ts'
import { deliverySerde, endedKey, openPrefix } from '../../../src/effects/outbox.ts'
import { identityOf } from '../../../src/email/identity.ts'
import { applicationId } from './email-machine.ts'
import type { EmailWorld } from './email-world.ts'
import { partitions } from './business-systems.ts'
import { lastEnd, reasonOf, type RequestHistory } from './request-histories.ts'

type Entries = ReadonlyMap<string, Buffer>

/** What the changelog holds of one store's part, up to an offset. */
function replayed(world: EmailWorld, store: string, partition: number, toOffset: number): Entries {
  const topic = `${applicationId}-${store}-changelog`
  const log = world.simulation.broker.findLog({ topic, partition })
  const entries = new Map<string, Buffer>()
  for (const { key, value, offset } of log?.readCommitted(log.startOffset, Infinity)?.records ??
    []) {
    if (offset >= toOffset) break
    if (value === null) entries.delete(key!.toString())
    else entries.set(key!.toString(), value)
  }
  return entries
}

/** Every disk holds exactly what its changelog says up to its position: nothing uncommitted, nothing missing. */
export async function brokenDiskPromises(world: EmailWorld): Promise<string[]> {
  const broken: string[] = []
  for (const { name, disk } of world.machines)
    for (const [path, backend] of disk.contents.stores) {
      if (disk.contents.corrupted.has(path)) continue
      const [taskId = '', store = ''] = path.split('/')
      const { offset } = (await backend.position()) ?? { offset: 0 }
      const partition = Number(taskId.split('_').at(-1))
      // What a disk that is behind should hold, a compacted changelog no longer tells.
      if (world.compacted && offset <= lastOffset(world, store, partition)) continue
      const expected = replayed(world, store, partition, offset)
      const actual = new Map(await backend.scan('', '', 1_000_000))
      const difference = firstDifference(actual, expected)
      if (difference !== undefined) broken.push(`disk ${name}, ${path} at ${offset}: ${difference}`)
    }
  return broken
}

function lastOffset({ simulation }: EmailWorld, store: string, partition: number): number {
  const log = simulation.broker.findLog({ topic: `${applicationId}-${store}-changelog`, partition })
  return log?.entries.findLast(each => each.state === 'committed')?.record.offset ?? -1
}

function firstDifference(actual: Entries, expected: Entries): string | undefined {
  for (const [key, value] of actual) {
    const other = expected.get(key)
    if (other === undefined) return `holds ${text(key)}, which is not in the changelog`
    if (!other.equals(value)) return `holds another ${text(key)} than the changelog`
  }
  for (const key of expected.keys()) if (!actual.has(key)) return `lacks ${text(key)}`
  return undefined
}

/** The stores say of each identity what follows from the input and the outcomes. */
export function brokenStatePromises(
  histories: readonly RequestHistory[],
  world: EmailWorld,
): string[] {
  const [dedup, outbox, outcomes] = ['dedup', 'outbox', 'outcomes'].map(store => all(world, store))
  const broken: string[] = []
  for (const key of outbox!.keys())
    if (key.startsWith(openPrefix)) broken.push(`${text(key)}: still open`)
  for (const { identity, original, ends } of histories) {
    const accepted = original?.accepted ?? 0
    const bytes = dedup!.get(identity)
    const seen = bytes && dedupEntrySerde.deserialize(bytes)
    const hash = seen?.kind === 'seen' ? seen.contentHash : undefined
    if (hash !== (original && contentHash(original.request)))
      broken.push(`${text(identity)}: the dedup store has other content than its original`)
    const endedBytes = outbox!.get(endedKey(identity))
    if ((endedBytes !== undefined) !== accepted > 0)
      broken.push(`${text(identity)}: accepted ${accepted} times, but not so in the outbox`)
    const state = endedBytes && deliverySerde.deserialize(endedBytes).state
    const kind = state?.kind === 'ended' ? state.end : undefined
    const last = lastEnd(ends)
    if (kind !== undefined && last && (kind === 'done') !== (reasonOf(last) === 'SENT'))
      broken.push(`${text(identity)}: ${kind} in the outbox, ${reasonOf(last)} outside`)
    broken.push(...brokenOutcome(identity, outcomes!, world))
  }
  return broken
}

function brokenOutcome(identity: string, outcomes: Entries, world: EmailWorld): string[] {
  const bytes = outcomes.get(outcomeKey(identity))
  if (bytes === undefined) return []
  const entry = outcomeEntrySerde.deserialize(bytes)
  if (entry.kind !== 'outcome') return []
  const calls = world.callbacks().filter(each => identityOf(each) === identity).length
  const broken: string[] = []
  if (entry.waiting > 0) broken.push(`${text(identity)}: ${entry.waiting} duplicates still wait`)
  if (entry.sequence !== calls)
    broken.push(`${text(identity)}: ${calls} callbacks, numbered up to ${entry.sequence}`)
  return broken
}

function all(world: EmailWorld, store: string): Entries {
  return new Map(
    Array.from({ length: partitions }, (_, partition) => [
      ...replayed(world, store, partition, Infinity),
    ]).flat(),
  )
}

/** An identity contains a NUL. */
function text(key: string): string {
  return key.replaceAll('\0', ' ')
}
