import type { EffectCommand } from '../effects/outbox.ts'
import type { SourceNode, StreamRecord } from '../topology/topology.ts'
import type { Task } from './task.ts'
import { parentsOf } from './task-graph.ts'

/** Calls `add` for each key that a record needs. */
export type KeysOf = (record: StreamRecord, add: (store: string, key: string) => void) => void

/** Keys that the nodes right below a source say they will need. */
export function keysDeclaredBelow(task: Task, source: SourceNode): KeysOf {
  const parts: KeysOf[] = []
  for (const node of task.subTopology.nodes) {
    if (!parentsOf(node).includes(source.name)) continue
    if (node.kind === 'process' && node.prefetch) {
      const { prefetch } = node
      parts.push((record, add) => {
        const keys = prefetch(record)
        for (let index = 0; index < keys.length; index += 1)
          add(keys[index]!.store.name, keys[index]!.key)
      })
    }
    if (node.kind === 'effect') {
      const isCommand = node.commandsFrom === source.name
      parts.push((record, add) => {
        const engine = task.engines.get(node.name)!
        const keys = isCommand
          ? engine.keysOfCommand(record.value as EffectCommand)
          : engine.keysOf(record.value, record)
        for (const key of keys) add(node.store.name, key)
      })
    }
  }
  const [only] = parts
  return parts.length === 1 && only
    ? only
    : (record, add) => parts.forEach(part => part(record, add))
}
