import { describe, expect, test } from 'vitest'
import type { GroupMember, GroupMemberOptions } from '../../src/runtime/ports.ts'
import type { Simulation } from '../../src/testing/simulation.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'
import { memberOf, producerOf, worldWith } from './world.ts'

const never = new AbortController().signal
const nothing = Buffer.alloc(0)

interface Living {
  readonly process: SimulatedProcess
  readonly member: GroupMember
  /** What it was given last. */
  partitions: readonly number[]
}

/** A process that joins whenever its group wants it to. */
function live(world: Simulation, id: string, options: Partial<GroupMemberOptions> = {}): Living {
  const process = world.startProcess(id)
  const living: Living = {
    process,
    member: memberOf(world.connect(process), options),
    partitions: [],
  }
  const join = async (): Promise<void> => {
    const assignment = await living.member.join(nothing, never)
    living.partitions = assignment.partitions.map(at => at.partition)
  }
  living.member.onChange(() => {
    const { status } = living.member
    if (status === 'rebalancing' || status === 'lost') void join()
  })
  void join()
  return living
}

const isJoined = (...all: Living[]) => all.every(({ member }) => member.status === 'joined')

describe('a group in memory', () => {
  test('gives one generation to all members, and the assignment of its leader to each', async () => {
    const world = worldWith()
    const a = live(world, 'a')
    await world.run({ until: () => isJoined(a) })
    const alone = a.partitions

    const b = live(world, 'b')
    await world.run({ until: () => isJoined(a, b) && a.partitions !== b.partitions })

    expect(alone).toEqual([0])
    expect(new Set([...a.partitions, ...b.partitions])).toEqual(new Set([0, 1]))
    expect(a.member.generation?.generationId).toBe(b.member.generation?.generationId)
  })

  test('tells its members to join again when one comes, and takes offsets of the old generation until they do', async () => {
    const world = worldWith()
    const process = world.startProcess('a')
    const cluster = world.connect(process)
    const member = memberOf(cluster)
    await world.settle(member.join(nothing, never))
    const producer = await producerOf(world, cluster)
    const { generation } = member

    live(world, 'b')
    await world.run({ until: () => member.status === 'rebalancing' })

    expect(member.generation).toBe(generation)
    const offset = { topic: 'requests', partition: 0, offset: 1, metadata: '' }
    await world.settle(producer.addOffsets([offset], generation!))
    await world.settle(producer.commit())
    const joining = world.settle(member.join(nothing, never))
    await expect(joining).resolves.toMatchObject({ userData: Buffer.from('of 2') })
    await expect(world.settle(producer.addOffsets([offset], generation!))).rejects.toMatchObject({
      code: 'GROUP_FENCED',
    })
  })

  test('expels a dead member after its session time-out, and not before', async () => {
    const world = worldWith()
    const [a, b] = [live(world, 'a'), live(world, 'b')]
    await world.run({ until: () => isJoined(a, b) && b.partitions.length > 0 })
    await world.run({ withinMs: 20_000 })
    const generationBefore = a.member.generation?.generationId

    b.process.kill()
    await world.run({ withinMs: 6900 })
    const stillThere = world.broker.group('group').members.length
    await world.run({ withinMs: 20_000 })

    expect(stillThere).toBe(2)
    expect(a.member).toMatchObject({
      status: 'joined',
      generation: { generationId: (generationBefore ?? 0) + 1 },
    })
    expect(a.partitions).toEqual([0])
  })

  test('expels who does not join again within the rebalance time-out; it learns that it is lost', async () => {
    const world = worldWith()
    const options = { rebalanceTimeoutMs: 25_000 }
    const slow = memberOf(world.connect(world.startProcess('slow')), options)
    await world.settle(slow.join(nothing, never))

    const b = live(world, 'b', options)
    await world.run({ withinMs: 24_000 })
    const whileWaiting = [slow.status, b.member.status]
    await world.run({ withinMs: 10_000 })

    expect(whileWaiting).toEqual(['rebalancing', 'created'])
    expect(b.partitions).toEqual([0])
    expect(world.broker.group('group').members).toEqual([{ memberId: 'b-2', client: 'b' }])
    expect(slow).toMatchObject({ status: 'lost', generation: undefined })
  })

  test('says lost to a member without answers for its session time-out', async () => {
    const world = worldWith()
    const a = live(world, 'a')
    await world.run({ until: () => isJoined(a) })
    const seen: string[] = []
    a.member.onChange(() => seen.push(a.member.status))

    world.faults.outage('group group', 60_000)
    await world.run({ withinMs: 9000 })
    const early = [...seen]
    await world.run({ withinMs: 10_000 })

    expect(early).toEqual([])
    expect(seen).toEqual(['lost'])
  })

  test('goes on without a rebalance when a static member comes back, whose predecessor is stopped', async () => {
    const world = worldWith()
    const old = live(world, 'a', { groupInstanceId: 'one' })
    await world.run({ until: () => isJoined(old) })
    const b = live(world, 'b', { groupInstanceId: 'two' })
    await world.run({ until: () => isJoined(old, b) && b.partitions.length > 0 })
    const { generationId } = world.broker.group('group')

    const young = live(world, 'a2', { groupInstanceId: 'one' })
    await world.run({ until: () => isJoined(young) && young.partitions.length > 0 })
    await world.run({ withinMs: 10_000 })

    expect(world.broker.group('group').generationId).toBe(generationId)
    expect(young.partitions).toEqual(old.partitions)
    expect(old.member).toMatchObject({
      status: 'stopped',
      failure: { code: 'INSTANCE_ID_IN_USE' },
    })
  })

  test('knows a static leader that came back as its leader: it can ask for a rebalance', async () => {
    const world = worldWith()
    const old = live(world, 'a', { groupInstanceId: 'one' })
    await world.run({ until: () => isJoined(old) })
    const young = memberOf(world.connect(world.startProcess('a2')), { groupInstanceId: 'one' })
    await world.settle(young.join(nothing, never))

    const joining = young.join(nothing, never)
    const { status } = young
    const assignment = await world.settle(joining)

    expect(status).toBe('rebalancing')
    expect(young.generation?.generationId).toBe(2)
    expect(assignment.partitions).toHaveLength(1)
  })

  test('does not mistake an old heartbeat for news', async () => {
    const world = worldWith({ requestTimeoutMs: 20_000 })
    const member = memberOf(world.connect(world.startProcess('a')))
    await world.settle(member.join(nothing, never))
    world.faults.script({ name: 'heartbeat' }, { kind: 'slow-request', delayMs: 2000 })
    await world.run({ withinMs: 3100 })

    await world.settle(member.join(nothing, never))
    await world.run({ withinMs: 10_000 })

    expect(member).toMatchObject({ status: 'joined', generation: { generationId: 2 } })
  })

  test.each([
    { kind: 'a dynamic member', groupInstanceId: null, permanently: false, left: 0 },
    { kind: 'a static member', groupInstanceId: 'one', permanently: false, left: 1 },
    { kind: 'a static member for good', groupInstanceId: 'one', permanently: true, left: 0 },
  ])('is left by $kind: $left stays', async ({ groupInstanceId, permanently, left }) => {
    const world = worldWith()
    const a = live(world, 'a', { groupInstanceId })
    await world.run({ until: () => isJoined(a) })

    await world.settle(a.member.leave(permanently))

    expect(world.broker.group('group').members).toHaveLength(left)
    expect(a.member).toMatchObject({ status: 'created', generation: undefined })
    // Nothing beats any more; a static member's session runs on at the broker.
    expect(world.clock.nextDueMs === undefined).toBe(left === 0)
  })

  test('lets go of who does not want to wait for the others', async () => {
    const world = worldWith()
    const a = memberOf(world.connect(world.startProcess('a')))
    await world.settle(a.join(nothing, never))
    const b = memberOf(world.connect(world.startProcess('b')))
    const controller = new AbortController()

    const joining = b.join(nothing, controller.signal)
    await world.run({ until: () => a.status === 'rebalancing' })
    controller.abort()

    await expect(world.settle(joining)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('survives lost joins and syncs: everybody is in at last', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const faultRates = {
        lostRequest: 0.15,
        lostReply: 0.15,
        slowRequest: 0.05,
        slowReply: 0.05,
        slowMsMax: 15_000,
      }
      const world = worldWith({ seed, faultRates })
      const all = ['a', 'b', 'c'].map(id => live(world, id))
      await world.run({ withinMs: 120_000 })
      world.faults.rates = {
        ...faultRates,
        lostRequest: 0,
        lostReply: 0,
        slowRequest: 0,
        slowReply: 0,
      }
      await world.run({ withinMs: 120_000 })

      const given = all.flatMap(each => each.partitions)
      expect(new Set(given), `seed ${seed}\n${String(world.story)}`).toEqual(new Set([0, 1, 2]))
      expect(isJoined(...all)).toBe(true)
    }
  })
})
