import { expect, test } from 'vitest'
import { OutboxRoom } from '../../src/effects/outbox-room.ts'
import { silentLogger } from '../../src/log.ts'

function roomOf(requests: number, bytes: number): { room: OutboxRoom; events: unknown[] } {
  const events: unknown[] = []
  const note = ({ event }: { event?: unknown }): void => void events.push(event)
  const room = new OutboxRoom({ requests, bytes }, { ...silentLogger, info: note, warn: note })
  return { room, events }
}

test.each([
  { what: 'requests', full: [100, 0], almost: [99, 0] },
  { what: 'bytes', full: [1, 5000], almost: [1, 4999] },
] as const)('it is full at so many $what', ({ full, almost }) => {
  const { room } = roomOf(100, 5000)
  room.add(almost[0], almost[1])
  const before = room.isFull

  room.add(full[0] - almost[0], full[1] - almost[1])

  expect([before, room.isFull]).toEqual([false, true])
})

test('once full it takes no more until a twentieth is free, and says so once', () => {
  const { room, events } = roomOf(100, 5000)
  for (let each = 0; each < 105; each += 1) room.add(1, 1)
  room.add(-10, -10)
  const stillFull = room.isFull

  room.add(-1, -1)
  room.add(-20, -20)

  expect([stillFull, room.isFull]).toEqual([true, false])
  expect(events).toEqual(['outbox-full', 'outbox-has-room'])
})
