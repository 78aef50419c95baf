import { expect, test } from 'vitest'
import type { OpenScene } from './kafka-cluster-contract.ts'

export function memberContract(open: OpenScene): void {
  test('a lone member decides for itself, and what travels both ways arrives', async () => {
    const scene = await open()
    const member = scene.member()
    const before = { status: member.status, generation: member.generation }

    const assignment = await scene.settle(scene.join(member, 'mine'))

    expect(before).toEqual({ status: 'created', generation: undefined })
    expect(assignment.partitions).toEqual([scene.at])
    expect(String(assignment.userData)).toBe('mine')
    expect(member.status).toBe('joined')
    expect(member.generation).toMatchObject({ groupId: scene.groupId, groupInstanceId: null })
  })

  test('a second member makes the first one rebalance, and both are assigned', async () => {
    const scene = await open()
    const [first, second] = [scene.member(), scene.member()]
    await scene.settle(scene.join(first, 'a'))
    const old = first.generation!

    const joining = scene.join(second, 'b')
    await scene.world.until(() => first.status === 'rebalancing')
    const during = first.generation
    const both = await scene.settle(Promise.all([scene.join(first, 'a'), joining]))

    expect(during).toEqual(old)
    expect(
      both.flatMap(each => each.partitions.map(at => at.partition)).toSorted((a, b) => a - b),
    ).toEqual([0, 1])
    expect(both.map(each => String(each.userData))).toEqual(['a+b', 'a+b'])
    expect(first.generation?.generationId).toBe(second.generation?.generationId)
    expect(first.generation?.generationId).toBeGreaterThan(old.generationId)
  })

  test('commits of the old generation pass while the group rebalances', async () => {
    const scene = await open()
    const [first, second] = [scene.member(), scene.member()]
    const producer = await scene.producer()
    await scene.settle(scene.join(first))
    const joining = scene.join(second)
    await scene.world.until(() => first.status === 'rebalancing')

    await scene.settle(
      producer.addOffsets([{ ...scene.at, offset: 3, metadata: 'i:1' }], first.generation!),
    )
    await scene.settle(producer.commit())
    await scene.settle(Promise.all([scene.join(first), joining]))

    const offsets = await scene.settle(
      scene.cluster.admin.committedOffsets(scene.groupId, [scene.at]),
    )
    expect(offsets.get(`${scene.topic}/0`)?.offset).toBe(3)
  })

  test('a member that leaves makes the others rebalance, long before its session ends', async () => {
    const scene = await open()
    const options = { sessionTimeoutMs: 60_000 }
    const [first, second] = [scene.member(options), scene.member(options)]
    await scene.settle(scene.join(first))
    const joining = scene.join(second)
    await scene.world.until(() => first.status === 'rebalancing')
    await scene.settle(Promise.all([scene.join(first), joining]))

    await scene.settle(second.close())
    await scene.world.until(() => first.status === 'rebalancing')
    const assignment = await scene.settle(scene.join(first))

    expect(assignment.partitions).toEqual([scene.at])
    expect(second.generation).toBeUndefined()
  })

  test('a member that expects a rebalance hears of it long before its next heartbeat is due', async () => {
    const scene = await open()
    const options = { sessionTimeoutMs: 300_000, heartbeatIntervalMs: 100_000 }
    const [first, second] = [scene.member(options), scene.member(options)]
    await scene.settle(scene.join(first))
    first.expectRebalance(50)

    const joining = scene.join(second)
    await scene.world.until(() => first.status === 'rebalancing')

    await scene.settle(Promise.all([scene.join(first), joining]))
    expect(first.status).toBe('joined')
  })

  test('a member that does not join in time is lost, and may join anew', async () => {
    const scene = await open()
    const options = { rebalanceTimeoutMs: 1500, sessionTimeoutMs: 60_000 }
    const [first, second] = [scene.member(options), scene.member(options)]
    await scene.settle(scene.join(first))

    await scene.settle(scene.join(second))
    await scene.world.until(() => first.status === 'lost')
    const generation = first.generation
    const joining = scene.join(first)
    await scene.world.until(() => second.status === 'rebalancing')
    await scene.settle(Promise.all([joining, scene.join(second)]))

    expect(generation).toBeUndefined()
    expect(first.status).toBe('joined')
  })

  test('a static member that comes back gets what it had, and nobody rebalances', async () => {
    const scene = await open()
    const before = scene.member({ groupInstanceId: 'instance-1' })
    const other = scene.member({ groupInstanceId: 'instance-2' })
    await scene.settle(scene.join(before))
    const joining = scene.join(other)
    await scene.world.until(() => before.status === 'rebalancing')
    const [had] = await scene.settle(Promise.all([scene.join(before), joining]))
    const generationId = other.generation?.generationId

    await scene.settle(before.close())
    const after = scene.member({ groupInstanceId: 'instance-1' })
    const has = await scene.settle(scene.join(after))

    expect(has.partitions).toEqual(had.partitions)
    expect(after.generation).toMatchObject({ generationId, groupInstanceId: 'instance-1' })
    expect(other.status).toBe('joined')
  })

  test('a static member that leaves for good makes the others rebalance', async () => {
    const scene = await open()
    const options = { sessionTimeoutMs: 60_000 }
    const leaving = scene.member({ groupInstanceId: 'instance-1', ...options })
    const other = scene.member({ groupInstanceId: 'instance-2', ...options })
    await scene.settle(scene.join(leaving))
    const joining = scene.join(other)
    await scene.world.until(() => leaving.status === 'rebalancing')
    await scene.settle(Promise.all([scene.join(leaving), joining]))

    await scene.settle(leaving.leave(true))

    await scene.world.until(() => other.status === 'rebalancing')
    expect(leaving.generation).toBeUndefined()
  })

  test('of two live owners of one instance id the older stops and says why', async () => {
    const scene = await open()
    const older = scene.member({ groupInstanceId: 'instance-1' })
    const younger = scene.member({ groupInstanceId: 'instance-1' })
    await scene.settle(scene.join(older))

    await scene.settle(scene.join(younger))
    await scene.world.until(() => older.status === 'stopped')

    expect(older.failure).toMatchObject({ code: 'INSTANCE_ID_IN_USE' })
    expect(older.generation).toBeUndefined()
    expect(younger.status).toBe('joined')
  })

  test('joining can be called off', async () => {
    const scene = await open()
    const [first, second] = [scene.member(), scene.member()]
    await scene.settle(scene.join(first))
    const calledOff = new AbortController()

    const joining = second.join(Buffer.from('b'), calledOff.signal)
    await scene.world.until(() => first.status === 'rebalancing')
    calledOff.abort()

    await expect(scene.settle(joining)).rejects.toMatchObject({ code: 'CLOSED' })
  })
}
