import { describe, expect, test } from 'vitest'
import { type Random, seededRandom } from '../../src/random.ts'
import { assignTasks } from '../../src/runtime/assignor.ts'
import { type TaskGroup, taskIdOf } from '../../src/runtime/task-group.ts'
import {
  decodeStandbyWork,
  encodeMemberState,
  type MemberState,
} from '../../src/runtime/instances.ts'
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

describe('state that is somewhere', () => {
  const send: TaskGroup = { name: 'send', topics: ['accepted'], partitions: 4 }
  const tasks = ['send_0', 'send_1', 'send_2', 'send_3']
  const ends = new Map(tasks.map(task => [task, 1000]))

  const member = (memberId: string, state: MemberState): GroupMemberInfo => ({
    memberId,
    groupInstanceId: null,
    userData: encodeMemberState(state),
  })

  function assigned(standbys: number, ...members: readonly GroupMemberInfo[]) {
    const assignment = assignTasks([send], members, { standbys, acceptableLag: 10, ends })
    return Object.fromEntries(
      [...assignment].map(([id, { partitions, userData }]) => {
        const { standbys: copies, warmUps } = decodeStandbyWork(userData)
        const mine = partitions.map(({ partition }) => taskIdOf('send', partition))
        return [id, { tasks: mine, standbys: copies, warmUps }]
      }),
    )
  }

  test('who comes warms up what it will get, and the owner goes on with it meanwhile', () => {
    const { a, b } = assigned(0, member('a', { tasks }), member('b', { tasks: [] }))

    expect(a).toEqual({ tasks, standbys: [], warmUps: [] })
    expect(b).toEqual({ tasks: [], standbys: ['send_2', 'send_3'], warmUps: ['send_2', 'send_3'] })
  })

  test('while somebody warms up, everybody is told that a new assignment is near', () => {
    const isMoving = (positions: MemberState['positions']) =>
      [
        ...assignTasks(
          [send],
          [member('a', { tasks }), member('b', { tasks: [], positions: positions! })],
          { standbys: 0, acceptableLag: 10, ends },
        ).values(),
      ].map(({ userData }) => decodeStandbyWork(userData).isMoving)

    expect(isMoving({})).toEqual([true, true])
    expect(isMoving({ send_2: 1000, send_3: 1000 })).toEqual([false, false])
  })

  test('a warm-up that has caught up becomes the task, one that has not stays a warm-up', () => {
    const positions = { send_2: 990, send_3: 989 }

    const { a, b } = assigned(0, member('a', { tasks }), member('b', { tasks: [], positions }))

    expect(a?.tasks).toEqual(['send_0', 'send_1', 'send_3'])
    expect(b).toEqual({ tasks: ['send_2'], standbys: ['send_3'], warmUps: ['send_3'] })
  })

  test('where nobody can go on at once, whoever gets it restores it', () => {
    const { a, b } = assigned(0, member('a', { tasks: [] }), member('b', { tasks: [] }))

    expect([a?.tasks.length, b?.tasks.length]).toEqual([2, 2])
    expect([...a!.warmUps, ...b!.warmUps]).toEqual([])
  })

  test('a task whose owner is gone goes on with its standby, although that one has its share', () => {
    const survivors = [
      member('a', { tasks: ['send_0', 'send_1'], positions: { send_3: 1000 } }),
      member('b', { tasks: [] }),
    ]

    const { a, b } = assigned(0, ...survivors)

    expect(a?.tasks).toEqual(['send_0', 'send_1', 'send_3'])
    expect(b).toEqual({ tasks: ['send_2'], standbys: ['send_3'], warmUps: ['send_3'] })
  })

  test('of two that would have to restore it the one whose disk knows something does', () => {
    const { a, b } = assigned(
      0,
      member('a', { tasks: [], onDisk: ['send_3', 'send_2'] }),
      member('b', { tasks: [], onDisk: ['send_0'] }),
    )

    expect(a?.tasks).toEqual(['send_2', 'send_3'])
    expect(b?.tasks.toSorted()).toEqual(['send_0', 'send_1'])
  })

  test('without the ends of the changelogs everything is assigned as if it were at hand', () => {
    const members = [member('a', { tasks }), member('b', { tasks: [] })]

    const assignment = assignTasks([send], members, {
      standbys: 0,
      acceptableLag: 10,
      ends: undefined,
    })

    expect(assignment.get('b')!.partitions).toHaveLength(2)
  })

  describe('of the threads of one process, which have one disk,', () => {
    const thread = (memberId: string, instanceId: string, state: MemberState): GroupMemberInfo =>
      member(memberId, { ...state, claim: { instanceId, sinceMs: 1 } })

    test('one takes over from another at once, without a warm-up', () => {
      const { a, b } = assigned(0, thread('a', 'x', { tasks }), thread('b', 'x', { tasks: [] }))

      expect([a?.tasks.length, b?.tasks.length]).toEqual([2, 2])
      expect([...a!.warmUps, ...b!.warmUps]).toEqual([])
    })

    test('none keeps a copy of what another runs', () => {
      const { a, b } = assigned(1, thread('a', 'x', { tasks }), thread('b', 'x', { tasks: [] }))

      expect([...a!.standbys, ...b!.standbys]).toEqual([])
    })

    test('one keeps a copy of what another process runs, not each', () => {
      const processes = assigned(
        2,
        thread('a', 'x', { tasks: ['send_0', 'send_1'] }),
        thread('b', 'x', { tasks: [] }),
        thread('c', 'y', { tasks: ['send_2', 'send_3'] }),
        thread('d', 'y', { tasks: [] }),
      )

      const { a, b, c, d } = processes
      const copiesOf = (...threads: readonly (typeof a)[]) =>
        threads.flatMap(each => each!.standbys).toSorted()
      const runBy = (...threads: readonly (typeof a)[]) =>
        threads.flatMap(each => each!.tasks).toSorted()
      expect(copiesOf(a, b)).toEqual(runBy(c, d))
      expect(copiesOf(c, d)).toEqual(runBy(a, b))
    })

    test('one goes on with the copy that another keeps, when that one has its share', () => {
      const survivors = [
        thread('a', 'x', {
          tasks: ['send_0', 'send_1'],
          positions: { send_2: 1000, send_3: 1000 },
        }),
        thread('b', 'x', { tasks: [] }),
        thread('c', 'y', { tasks: [] }),
      ]

      const { b, c } = assigned(0, ...survivors)

      expect(b?.tasks).toEqual(['send_2'])
      expect(c).toEqual({ tasks: [], standbys: ['send_3'], warmUps: ['send_3'] })
    })
  })

  test('each task has its standbys elsewhere, spread evenly, and they stay where they are', () => {
    const before = assigned(
      1,
      member('a', { tasks: ['send_0', 'send_1'] }),
      member('b', { tasks: ['send_2', 'send_3'] }),
      member('c', { tasks: [] }),
    )
    const standbys = Object.values(before).flatMap(each => each.standbys)
    const positionsOf = (ids: readonly string[]) => Object.fromEntries(ids.map(id => [id, 0]))
    const again = assigned(
      1,
      ...Object.entries(before).map(([id, each]) =>
        member(id, { tasks: each.tasks, positions: positionsOf(each.standbys) }),
      ),
    )

    expect(standbys.toSorted()).toEqual(tasks)
    for (const each of Object.values(before)) {
      expect(each.standbys.filter(task => each.tasks.includes(task))).toEqual([])
      expect(each.standbys.length).toBeLessThanOrEqual(2)
    }
    expect(again).toEqual(before)
  })

  test('with fewer members than copies there are as many copies as members allow', () => {
    const alone = assigned(2, member('a', { tasks: [] }))
    const two = assigned(2, member('a', { tasks }), member('b', { tasks: [] }))

    expect(alone['a']).toEqual({ tasks, standbys: [], warmUps: [] })
    expect(two['b']?.standbys.toSorted()).toEqual(tasks)
  })
})
