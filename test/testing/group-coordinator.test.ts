import { expect, test } from 'vitest'
import { GroupCoordinator } from '../../src/testing/group-coordinator.ts'
import type { JoinResult, SyncResult } from '../../src/testing/group-member-state.ts'
import { Simulation } from '../../src/testing/simulation.ts'

const userData = Buffer.alloc(0)

function groupOf() {
  const group = new GroupCoordinator('group', new Simulation({ seed: 1 }).network)
  const joined = new Map<string, JoinResult>()
  const synced = new Map<string, SyncResult>()
  const join = (client: string, memberId = ''): void => {
    const times = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 30_000 }
    const request = { memberId, groupInstanceId: null, userData, client, ...times }
    group.join(request, result => joined.set(client, result))
  }
  const sync = (memberId: string, generationId: number): void =>
    group.sync(memberId, null, generationId, undefined, result => synced.set(memberId, result))
  return { group, joined, synced, join, sync }
}

test('a member that waits for its leader is told when the group begins again', () => {
  const { group, synced, join, sync } = groupOf()
  join('a')
  join('b')
  join('a', 'a-1')
  sync('b-2', 2)

  const before = [group.status, synced.get('b-2')]
  join('c')

  expect(before).toEqual(['completing', undefined])
  expect(synced.get('b-2')).toBe('REBALANCE_IN_PROGRESS')
})

test('a sync that comes while the group begins again is refused', () => {
  const { group, joined, synced, join, sync } = groupOf()
  join('a')
  join('b')

  sync('a-1', 1)

  expect(group.status).toBe('preparing')
  expect(joined.get('b')).toBeUndefined()
  expect(synced.get('a-1')).toBe('REBALANCE_IN_PROGRESS')
})

test('only the leader hears who the members are, and it stays the leader', () => {
  const { joined, join } = groupOf()
  join('a')
  join('b')
  join('a', 'a-1')

  const members = ['a-1', 'b-2'].map(memberId => ({ memberId, groupInstanceId: null, userData }))
  expect(joined.get('a')).toEqual({ memberId: 'a-1', generationId: 2, members })
  expect(joined.get('b')).toEqual({ memberId: 'b-2', generationId: 2, members: undefined })
})

test.each(['completing', 'stable'])(
  'a follower that missed its answer gets it again while the group is %s, and nobody else is disturbed',
  status => {
    const { group, joined, join } = groupOf()
    join('a')
    join('b')
    join('a', 'a-1')
    if (status === 'stable') group.sync('a-1', null, 2, new Map(), () => undefined)
    joined.clear()

    join('b', 'b-2')

    expect(joined.get('b')).toEqual({ memberId: 'b-2', generationId: 2, members: undefined })
    expect([group.status, group.generationId]).toEqual([status, 2])
  },
)
