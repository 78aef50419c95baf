import { expect, test } from 'vitest'
import { RelayRoom } from '../../src/sinks/relay-room.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const hangingMs = 10_000

test('a try that was lost before its dot holds up nothing and is never one that hangs', () => {
  const clock = new ManualClock()
  const room = new RelayRoom({
    clock,
    capacity: 4,
    perSecond: Infinity,
    isAdaptive: true,
    onRestraint: () => undefined,
    onRoom: () => undefined,
  })
  const entries = [room.enter(), room.enter()]
  // Two at once were too many: from now on it is one.
  room.complain(entries[0]!.beganMs, { isCertain: true, reply: '421 too many connections' })
  for (const entry of entries) {
    room.leave(entry)
    room.dotted(entry)
  }
  clock.advance(hangingMs + 1)

  room.enter()
  clock.advance(hangingMs + 1)

  expect(room.connections).toBe(1)
  expect(room.free).toBe(0)
})
