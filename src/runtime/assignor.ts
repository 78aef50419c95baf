import { assignStandbys } from './assign-standbys.ts'
import { AssignableMember, type AssignmentOptions } from './assignable-member.ts'
import { encodeInstances, encodeStandbyWork } from './instances.ts'
import type { GroupAssignment, GroupMemberInfo } from './ports.ts'
import { type TaskGroup, taskIdOf } from './task-group.ts'

export const assignmentProtocol = 'mailonce-sticky'

const noStandbys: AssignmentOptions = Object.freeze({
  standbys: 0,
  acceptableLag: 0,
  ends: undefined,
})

/**
 * Sticky and co-partitioned. Each sub-topology is spread evenly by itself (they cost different things), a task stays where
 * it was unless that member has more than its share, and who has fewest tasks in all takes the odd ones. A task goes
 * first to whoever has most of its state: and while somebody can go on with it at once, it moves to a member that would
 * have to restore it only when that one has caught up as a warm-up (KIP-441). The same members in any order give the same
 * assignment. Everybody is told who of those that answer questions has which task, and which instance ids are used twice.
 */
export function assignTasks(
  groups: readonly TaskGroup[],
  members: readonly GroupMemberInfo[],
  options: AssignmentOptions = noStandbys,
): ReadonlyMap<string, GroupAssignment> {
  const states = members
    .map(member => new AssignableMember(member, options))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
  for (const state of states) state.siblings = siblingsOf(state, states)
  for (const group of groups) assignGroup(group, states)
  assignStandbys(groups, states, options.standbys)
  const instances = states.flatMap(({ http, tasks }) =>
    http === undefined ? [] : [{ http, tasks }],
  )
  const claims = states.flatMap(({ claim }) => claim ?? [])
  const isMoving = states.some(({ warmUps }) => warmUps.length > 0)
  return new Map(
    states.map(({ id, partitions, standbys, warmUps }) => {
      const work = encodeStandbyWork({ standbys, warmUps, isMoving })
      const userData = encodeInstances(instances, claims, work)
      return [id, { partitions, userData }]
    }),
  )
}

/** Workers of one process, which share its state directory. */
function siblingsOf(
  { instanceId, id }: AssignableMember,
  states: readonly AssignableMember[],
): readonly AssignableMember[] {
  if (instanceId === undefined) return []
  return states.filter(each => each.instanceId === instanceId && each.id !== id)
}

function assignGroup(group: TaskGroup, states: readonly AssignableMember[]): void {
  const shares = sharesOf(group, states)
  const left = new Map(states.map(state => [state, shares.get(state)!]))
  const homeless: number[] = []
  const take = (state: AssignableMember): void => void left.set(state, left.get(state)! - 1)
  for (let partition = 0; partition < group.partitions; partition += 1) {
    const id = taskIdOf(group.name, partition)
    const owner = states.find(state => state.had.has(id) && left.get(state)! > 0)
    if (owner === undefined) {
      homeless.push(partition)
      continue
    }
    take(owner)
    owner.give(group, partition)
  }
  // Those of whom somebody has the state come first, so that nobody else takes that one's room.
  const knownSomewhere = (partition: number): number =>
    states.some(state => left.get(state)! > 0 && state.knows(taskIdOf(group.name, partition)))
      ? 0
      : 1
  for (const partition of homeless.toSorted(
    (a, b) => knownSomewhere(a) - knownSomewhere(b) || a - b,
  )) {
    const id = taskIdOf(group.name, partition)
    const target = states
      .filter(state => left.get(state)! > 0)
      .reduce((best, state) => (state.compareFor(id, best) < 0 ? state : best))
    const holder = states
      .filter(state => state.isCaughtUp(id))
      .reduce<AssignableMember | undefined>(
        (best, state) => (best === undefined || state.compareFor(id, best) < 0 ? state : best),
        undefined,
      )
    take(target)
    if (holder === undefined || target.isCaughtUp(id)) target.give(group, partition)
    else {
      holder.give(group, partition)
      target.warmUps.push(id)
    }
  }
}

/** How many tasks of the group each member gets; the odd ones go to those with fewest tasks so far, then to those who had most of it. */
function sharesOf(
  group: TaskGroup,
  states: readonly AssignableMember[],
): Map<AssignableMember, number> {
  const base = Math.floor(group.partitions / states.length)
  const odd = group.partitions % states.length
  const kept = (state: AssignableMember): number =>
    [...state.had].filter(id => id.startsWith(`${group.name}_`)).length
  const byNeed = states.toSorted(
    (a, b) => a.tasks.length - b.tasks.length || kept(b) - kept(a) || (a.id < b.id ? -1 : 1),
  )
  return new Map(byNeed.map((state, index) => [state, base + (index < odd ? 1 : 0)]))
}
