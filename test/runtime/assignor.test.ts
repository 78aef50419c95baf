import { expect, test } from 'vitest'
import { type Random, seededRandom } from '../../src/random.ts'
import { assignTasks, type TaskGroup, taskIdOf } from '../../src/runtime/assignor.ts'
import { encodeMemberState } from '../../src/runtime/instances.ts'
import type { GroupMemberInfo } from '../../src/runtime/ports.ts'

const groups: readonly TaskGroup[] = [
  { name: 'dedup', topics: ['requested', 'again'], partitions: 6 },
  { name: 'send', topics: ['accepted'], partitions: 7 },
  { name: 'callback', topics: ['sent', 'failed', 'repeats'], partitions: 5 },
]

/** Tasks by member. */
type Owners = ReadonlyMap<string, readonly string[]>

function memberOf(memberId: string, tasks: readonly string[]): GroupMemberInfo {
  return { memberId, groupInstanceId: null, userData: encodeMemberState({ tasks }) }
}

/** What everybody is given, who had what before. Fails when the topics of a task are not together. */
function assign(before: Owners): Owners {
  const members = [...before].map(([id, tasks]) => memberOf(id, tasks))
  return ownersOf(assignTasks(groups, members))
}

function ownersOf(assignment: ReturnType<typeof assignTasks>): Owners {
  return new Map([...assignment].map(([id, { partitions }]) => [id, tasksOf(partitions)]))
}

function tasksOf(partitions: readonly { topic: string; partition: number }[]): string[] {
  const tasks: string[] = []
  for (const { name, topics } of groups) {
    const lists = topics.map(topic => partitions.filter(each => each.topic === topic))
    const [first, ...others] = lists.map(list =>
      list.map(each => each.partition).toSorted((a, b) => a - b),
    )
    for (const other of others) expect(other).toEqual(first)
    tasks.push(...first!.map(partition => taskIdOf(name, partition)))
  }
  return tasks
}

const allTasks = groups
  .flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => taskIdOf(name, partition)),
  )
  .toSorted()

const none = (...ids: readonly string[]): Owners => new Map(ids.map(id => [id, []]))

function counts(owners: Owners, prefix = ''): number[] {
  return [...owners.values()].map(tasks => tasks.filter(id => id.startsWith(prefix)).length)
}

const spread = (numbers: readonly number[]): number => Math.max(...numbers) - Math.min(...numbers)

test('one member gets everything', () => {
  expect(assign(none('a')).get('a')?.toSorted()).toEqual(allTasks)
})

test('the same members in any order get the same', () => {
  const forth = assignTasks(groups, [
    memberOf('a', ['send_0']),
    memberOf('b', []),
    memberOf('c', []),
  ])
  const back = assignTasks(groups, [
    memberOf('c', []),
    memberOf('b', []),
    memberOf('a', ['send_0']),
  ])

  expect(back).toEqual(forth)
})

test('nothing moves while nobody comes or goes', () => {
  const before = assign(none('a', 'b', 'c'))

  expect(assign(before)).toEqual(before)
})

test('who comes gets a share, and of the others each keeps what it is left with', () => {
  const before = assign(none('a', 'b'))

  const now = assign(new Map([...before, ['c', []]]))

  for (const id of ['a', 'b'])
    expect(now.get(id)?.every(task => before.get(id)?.includes(task))).toBe(true)
  expect(spread(counts(now))).toBeLessThanOrEqual(1)
})

test('when one goes, only its tasks move', () => {
  const before = assign(none('a', 'b', 'c'))

  const now = assign(new Map([...before].filter(([id]) => id !== 'c')))

  for (const id of ['a', 'b'])
    expect(before.get(id)?.every(task => now.get(id)?.includes(task))).toBe(true)
})

test('the odd one stays with who had it', () => {
  const send = groups.find(each => each.name === 'send')
  const tasks = Array.from({ length: 7 }, (_, partition) => taskIdOf('send', partition))
  const members = [memberOf('a', tasks.slice(0, 3)), memberOf('b', tasks.slice(3))]

  const assignment = assignTasks([send!], members)

  expect(assignment.get('b')?.partitions.map(each => each.partition)).toEqual([3, 4, 5, 6])
})

test('what two members say they have only one gets; what nobody can read is nothing', () => {
  const garbage = { ...memberOf('c', []), userData: Buffer.from('{"tasks":7') }

  const owners = ownersOf(
    assignTasks(groups, [memberOf('a', ['send_0']), memberOf('b', ['send_0']), garbage]),
  )

  expect([...owners.values()].flat().toSorted()).toEqual(allTasks)
  expect(owners.get('a')).toContain('send_0')
})

test('with more members than partitions some have nothing of a group, and all is given', () => {
  const owners = assign(none(...Array.from({ length: 9 }, (_, index) => `m-${index}`)))

  expect([...owners.values()].flat().toSorted()).toEqual(allTasks)
  expect(counts(owners, 'callback').filter(count => count === 1)).toHaveLength(5)
})

function drawnChange(random: Random, owners: Owners): Owners {
  const kept = [...owners].filter(() => random.next() < 0.7)
  const fresh = Array.from(
    { length: Math.floor(random.next() * 3) + (kept.length === 0 ? 1 : 0) },
    () => [random.uuid(), []] as const,
  )
  return new Map([...kept, ...fresh])
}

test.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  'seed %i: whoever comes and goes, every task has one owner and all have as many',
  seed => {
    const random = seededRandom(seed)
    let owners = assign(none('a', 'b'))
    for (let change = 0; change < 20; change += 1) {
      owners = assign(drawnChange(random, owners))

      expect([...owners.values()].flat().toSorted()).toEqual(allTasks)
      expect(spread(counts(owners))).toBeLessThanOrEqual(1)
      for (const { name } of groups)
        expect(spread(counts(owners, `${name}_`))).toBeLessThanOrEqual(1)
    }
  },
)
