import { expect, test } from 'vitest'
import { assignTasks } from '../../src/runtime/assignor.ts'
import { encodeInstances, Instances } from '../../src/runtime/instances.ts'

const groups = [
  { name: 'send', topics: ['accepted'], partitions: 4 },
  { name: 'callback', topics: ['sent'], partitions: 2 },
]

const memberOf = (memberId: string, userData: Buffer) => ({
  memberId,
  groupInstanceId: null,
  userData,
})

test('everybody is told who has which task, and stays where the tasks were', () => {
  const all = [new Instances('a:1'), new Instances('b:2')]
  const members = all.map((each, index) => memberOf(`m-${index}`, each.memberState({ tasks: [] })))

  const assignment = assignTasks(groups, members)
  for (const [index, each] of all.entries()) each.learn(assignment.get(`m-${index}`)!.userData)

  for (const { name, topics, partitions } of groups)
    for (let partition = 0; partition < partitions; partition += 1) {
      const index = [...assignment.values()].findIndex(({ partitions: own }) =>
        own.some(at => at.topic === topics[0] && at.partition === partition),
      )
      const owners = all.map(each => each.ownerOf(`${name}_${partition}`))
      expect(owners).toEqual([all[index]!.own, all[index]!.own])
    }
  expect(all[0]!.all).toEqual(all[1]!.all)
})

test('threads of one process have one name and do not dispute it', () => {
  const threads = [0, 1].map(() => new Instances('a:1', { instanceId: 'x', sinceMs: 5 }))
  const members = threads.map((each, index) =>
    memberOf(`m-${index}`, each.memberState({ tasks: [] })),
  )

  const { userData } = assignTasks(groups, members).get('m-0')!
  threads[0]!.learn(userData)

  expect(JSON.parse(userData.toString())).not.toHaveProperty('claims')
  expect(threads[0]!.ownerOf('send_0')).toBe('a:1')
})

test('a member that answers no questions is not among those that do', () => {
  const asking = new Instances('a:1')
  const members = [
    memberOf('m-0', asking.memberState({ tasks: [] })),
    memberOf('m-1', new Instances().memberState({ tasks: [] })),
  ]

  asking.learn(assignTasks(groups, members).get('m-0')!.userData)

  expect(asking.all.map(each => each.http)).toEqual(['a:1'])
  expect(asking.all[0]!.tasks).toHaveLength(3)
})

test.each(['', 'null', '7', '{"instances":7}', '{"instances":[{"http":1},{"tasks":[]}]}'])(
  'a leader that says %s says nothing',
  text => {
    const instances = new Instances('a:1')
    instances.learn(encodeInstances([{ http: 'b:1', tasks: ['send_0'] }]))

    instances.learn(Buffer.from(text))

    expect(instances.all).toEqual([])
    expect(instances.ownerOf('send_0')).toBeUndefined()
  },
)

test('of two live owners of one instance id the older gives way, and nobody else', () => {
  const older = new Instances('a:1', { instanceId: 'shared', sinceMs: 1000 })
  const younger = new Instances('b:1', { instanceId: 'shared', sinceMs: 2000 })
  const other = new Instances('c:1', { instanceId: 'other', sinceMs: 0 })
  const members = [older, younger, other].map((each, index) =>
    memberOf(`m-${index}`, each.memberState({ tasks: [] })),
  )

  const { userData } = assignTasks(groups, members).get('m-0')!

  expect(() => older.learn(userData)).toThrow(/instance id shared/)
  expect(() => younger.learn(userData)).not.toThrow()
  expect(() => other.learn(userData)).not.toThrow()
})
