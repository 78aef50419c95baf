import { decodeMemberState, encodeInstances } from './instances.ts'
import type { GroupAssignment, GroupMemberInfo, TopicPartition } from './ports.ts'

/** Tasks to spread: the partitions of one sub-topology, and the topics that go with each of them. */
export interface TaskGroup {
  readonly name: string
  readonly topics: readonly string[]
  readonly partitions: number
}

export const assignmentProtocol = 'mailonce-sticky'

export function taskIdOf(group: string, partition: number): string {
  return `${group}_${partition}`
}

/**
 * Sticky and co-partitioned. Each sub-topology is spread evenly by itself (they cost different things), a task stays where
 * it was unless that member has more than its share, and who has fewest tasks in all takes the odd ones. The same
 * members in any order give the same assignment. Everybody is told who of those that answer questions has which task, and
 * which instance ids are used twice.
 */
export function assignTasks(
  groups: readonly TaskGroup[],
  members: readonly GroupMemberInfo[],
): ReadonlyMap<string, GroupAssignment> {
  const states = members
    .map(({ memberId, userData }) => {
      const { tasks, http, claim } = decodeMemberState(userData)
      return {
        id: memberId,
        http,
        claim,
        had: new Set(tasks),
        ids: [] as string[],
        partitions: [] as TopicPartition[],
        tasks: 0,
      }
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  for (const group of groups) {
    const shares = sharesOf(group, states)
    const left = new Map(states.map(state => [state, shares.get(state)!]))
    const homeless: number[] = []
    const give = (state: (typeof states)[number], partition: number): void => {
      left.set(state, left.get(state)! - 1)
      state.tasks += 1
      state.ids.push(taskIdOf(group.name, partition))
      for (const topic of group.topics) state.partitions.push({ topic, partition })
    }
    for (let partition = 0; partition < group.partitions; partition += 1) {
      const id = taskIdOf(group.name, partition)
      const owner = states.find(state => state.had.has(id) && left.get(state)! > 0)
      if (owner) give(owner, partition)
      else homeless.push(partition)
    }
    for (const partition of homeless)
      give(
        states.find(state => left.get(state)! > 0)!,
        partition,
      )
  }
  const instances = states.flatMap(({ http, ids }) =>
    http === undefined ? [] : [{ http, tasks: ids }],
  )
  const claims = states.flatMap(({ claim }) => claim ?? [])
  const userData = encodeInstances(instances, claims)
  return new Map(states.map(({ id, partitions }) => [id, { partitions, userData }]))
}

/** How many tasks of the group each member gets; the odd ones go to those with fewest tasks so far, then to those who had most of it. */
function sharesOf<
  State extends { readonly id: string; readonly had: ReadonlySet<string>; readonly tasks: number },
>(group: TaskGroup, states: readonly State[]): Map<State, number> {
  const base = Math.floor(group.partitions / states.length)
  const odd = group.partitions % states.length
  const kept = (state: State): number =>
    [...state.had].filter(id => id.startsWith(`${group.name}_`)).length
  const byNeed = states.toSorted(
    (a, b) => a.tasks - b.tasks || kept(b) - kept(a) || (a.id < b.id ? -1 : 1),
  )
  return new Map(byNeed.map((state, index) => [state, base + (index < odd ? 1 : 0)]))
}
