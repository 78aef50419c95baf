import { beforeEach, expect, test } from 'vitest'
import { onlyRelayOf } from '../../src/effects/delivery.ts'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

async function turnAndCommit(): Promise<void> {
  await world.turn()
  await world.turn()
  await world.commit()
}

test('a first try may go to any relay', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()

  expect(world.sink.of('r-1').attempt).toMatchObject({ onlyRelay: null, lastRelay: null })
})

test('a retry says whom the last try asked, and may go to another', async () => {
  await world.dot({ identity: 'r-1' })
  world.sink.of('r-1').reply('deferred')
  await turnAndCommit()
  world.clock.advance(10_000)
  await turnAndCommit()

  expect(world.sink.tries).toHaveLength(2)
  expect(world.sink.of('r-1').attempt).toMatchObject({ onlyRelay: null, lastRelay: 'relay:25' })
})

test('what is in doubt is sent again to the relay that may have it, and to no other', async () => {
  await world.dot({ identity: 'r-1', inDoubt: 'resend' })
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  await world.turn()

  expect(world.sink.tries).toHaveLength(2)
  expect(world.sink.of('r-1').attempt.onlyRelay).toBe('relay:25')
})

test('another owner keeps to that relay as well', async () => {
  await world.dot({ identity: 'r-1', inDoubt: 'resend' })
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()

  await world.restart()
  await world.turn()

  expect(world.sink.of('r-1').attempt.onlyRelay).toBe('relay:25')
})

test('other recipients of a mail in doubt are kept to that relay too', async () => {
  await world.accept({ identity: 'r-1', targets: ['a', 'b'] })
  await world.turn()
  world.sink.of('r-1').hold({ accepted: ['a'], deferred: [{ target: 'b', reply: '450 later' }] })
  await world.turn()
  await world.commit()
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  world.clock.advance(10_000)
  await turnAndCommit()

  expect(world.sink.of('r-1').attempt).toMatchObject({ targets: ['b'], onlyRelay: 'relay:25' })
})

test('evidence that ends the doubt sets the request free', async () => {
  await world.dot({ identity: 'r-1', inDoubt: 'resend' })
  const token = await world.tokenOf('r-1')
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()

  await world.evidence('r-1', token, 'abandoned')
  await turnAndCommit()

  expect(world.sink.of('r-1').attempt.onlyRelay).toBe(null)
})

test('a doubt of the first release, which does not name its relay, is about the one asked last', async () => {
  await world.dot({ identity: 'r-1', inDoubt: 'resend' })
  world.sink.of('r-1').reply('unknown')
  await turnAndCommit()
  const delivery = await world.stored('r-1')

  const doubts = delivery!.doubts.map(({ token, targets }) => ({ token, targets }))

  expect(onlyRelayOf({ ...delivery!, doubts })).toBe('relay:25')
})

test('a request whose relay is not there waits its time, without a retry or a write, and others go on', async () => {
  await world.accept({ identity: 'r-1' })
  await world.accept({ identity: 'r-2' })
  await turnAndCommit()
  world.sink.of('r-1').fail({ reached: false, retryInMs: 5000 })
  world.sink.of('r-2').hold()
  await world.turn()
  await world.turn()
  const early = world.sink.tries.length
  const delayMs = world.engine.nextDelayMs()

  world.clock.advance(5000)
  await world.turn()
  await world.turn()

  expect(early).toBe(2)
  expect(delayMs).toBe(5000)
  expect(world.slots.isOpen).toBe(false)
  expect(world.sink.tries).toHaveLength(3)
  expect(await world.stored('r-1')).toMatchObject({ state: { kind: 'queued' }, attempts: 0 })
})

test('what waits for its relay still expires in time', async () => {
  await world.accept({ identity: 'r-1', expiresAtMs: world.clock.nowMs() + 3000 })
  await turnAndCommit()
  world.sink.of('r-1').fail({ reached: false, retryInMs: 5000 })
  await world.turn()

  world.clock.advance(3000)
  await turnAndCommit()

  expect(world.committed).toEqual(['r-1 expired'])
})

test('while nobody can be asked nobody is, for as long as the sink says', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').fail({ reached: false, unavailable: true, retryInMs: 7000 })
  await world.turn()

  world.clock.advance(6999)
  await world.turn()
  const early = world.sink.tries.length
  world.clock.advance(1)
  await world.turn()

  expect(early).toBe(1)
  expect(world.sink.tries).toHaveLength(2)
})
