import type { AssignableMember } from './assignable-member.ts'
import { type TaskGroup, taskIdOf } from './task-group.ts'

/**
 * Gives each task the asked number of standbys, on instances that do not run it; a warm-up is one of them. They stay where
 * the state is already, unless that member has more than its share of them. Fewer instances than copies: as many as there are.
 * Of the workers of one instance only one has a task or its copy: they share one disk.
 */
export function assignStandbys(
  groups: readonly TaskGroup[],
  members: readonly AssignableMember[],
  standbys: number,
): void {
  for (const member of members) member.standbys.push(...member.warmUps)
  const instances = members.filter(({ id, siblings }) => siblings.every(each => id < each.id))
  const copies = Math.min(standbys, instances.length - 1)
  for (const group of groups) {
    const shareMax = Math.ceil((group.partitions * copies) / members.length)
    const given = new Map(members.map(member => [member, 0]))
    for (let partition = 0; partition < group.partitions; partition += 1) {
      const task = taskIdOf(group.name, partition)
      const has = members.filter(member => member.standbys.includes(task)).length
      const free = members.filter(member =>
        [member, ...member.siblings].every(
          each => !each.tasks.includes(task) && !each.standbys.includes(task),
        ),
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
      const oneOfEach = chosen.filter(
        (member, at) => !chosen.slice(0, at).some(each => member.siblings.includes(each)),
      )
      for (const member of oneOfEach.slice(0, Math.max(0, copies - has))) {
        given.set(member, given.get(member)! + 1)
        member.standbys.push(task)
      }
    }
  }
}
