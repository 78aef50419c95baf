import type { AssignableMember } from './assignable-member.ts'
import { type TaskGroup, taskIdOf } from './task-group.ts'

/**
 * Gives each task the asked number of standbys, on members that do not run it; a warm-up is one of them. They stay where
 * the state is already, unless that member has more than its share of them. Fewer members than copies: as many as there are.
 */
export function assignStandbys(
  groups: readonly TaskGroup[],
  members: readonly AssignableMember[],
  standbys: number,
): void {
  for (const member of members) member.standbys.push(...member.warmUps)
  const copies = Math.min(standbys, members.length - 1)
  for (const group of groups) {
    const shareMax = Math.ceil((group.partitions * copies) / members.length)
    const given = new Map(members.map(member => [member, 0]))
    for (let partition = 0; partition < group.partitions; partition += 1) {
      const task = taskIdOf(group.name, partition)
      const has = members.filter(member => member.standbys.includes(task)).length
      const free = members.filter(
        member => !member.tasks.includes(task) && !member.standbys.includes(task),
      )
      const isFull = (member: AssignableMember): number => Number(given.get(member)! >= shareMax)
      const chosen = free.toSorted(
        (a, b) =>
          isFull(a) - isFull(b) ||
          Number(b.knows(task)) - Number(a.knows(task)) ||
          a.compareFor(task, b) ||
          given.get(a)! - given.get(b)! ||
          (a.id < b.id ? -1 : 1),
      )
      for (const member of chosen.slice(0, Math.max(0, copies - has))) {
        given.set(member, given.get(member)! + 1)
        member.standbys.push(task)
      }
    }
  }
}
