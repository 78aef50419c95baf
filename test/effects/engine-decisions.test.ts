import { beforeEach, expect, test } from 'vitest'
import type { CancelCommand, ResolveCommand } from '../../src/effects/outbox.ts'
import { effectCommandSerde } from '../../src/effects/outbox.ts'
import { type Serde, utf8Serde } from '../../src/serde.ts'
import { decisionOf } from './delivery-fixture.ts'
import { EngineWorld } from './engine-world.ts'

let world: EngineWorld

beforeEach(async () => {
  world = await EngineWorld.begin()
})

const cancel: CancelCommand = { kind: 'cancel', identity: 'r-1', decision: decisionOf('cancel') }

async function resolve(kind: 'sent' | 'resend' | 'fail'): Promise<ResolveCommand> {
  const state = (await world.stored('r-1'))?.state
  const endedAtMs = state?.kind === 'ended' ? state.atMs : 0
  return { kind: 'resolve', identity: 'r-1', endedAtMs, decision: decisionOf(kind) }
}

/** The connection closes between the dot and the answer. */
async function bringIntoDoubt(): Promise<void> {
  await world.dot({ identity: 'r-1' })
  world.sink.of('r-1').reply('unknown')
  await world.turn()
  await world.commit()
}

const honoured = (): unknown[] => world.logged.map(({ fields }) => fields['honoured'])

test.each([
  { stage: 'queued', bring: () => world.accept({ identity: 'r-1' }) },
  {
    request: undefined,
    stage: 'preparing',
    bring: async () => {
      await world.accept({ identity: 'r-1' })
      await world.turn()
    },
  },
  {
    stage: 'at the gate',
    bring: async () => {
      await world.accept({ identity: 'r-1' })
      await world.turn()
      world.sink.of('r-1').hold()
    },
  },
  {
    stage: 'waiting for its time',
    bring: async () => {
      await world.accept({ identity: 'r-1', notBeforeMs: world.clock.nowMs() + 60_000 })
      await world.commit()
    },
  },
])('a request that is $stage is cancelled, and nothing of it is performed', async ({ bring }) => {
  await bring()

  await world.command(cancel)
  await world.turn()
  await world.commit()
  world.clock.advance(120_000)
  await world.turn()
  await world.commit()

  expect(world.committed).toEqual(['r-1 cancelled'])
  expect(world.sink.dots('r-1')).toBe(0)
  expect(world.sink.tries.every(each => each.state === 'undone')).toBe(true)
  expect(world.slots.used).toBe(0)
  expect(honoured()).toEqual([true])
})

test('a request whose transaction 1 is under way is not cancelled', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()

  await world.command(cancel)
  await world.commit()
  await world.command(cancel)
  world.sink.of('r-1').reply('done')
  await world.turn()
  await world.commit()
  await world.command(cancel)
  await world.commit()

  expect(world.committed).toEqual(['r-1 done'])
  expect(honoured()).toEqual([false, false, false])
  expect(world.logged.map(({ message }) => message?.replace(/^.*: it is /, ''))).toEqual([
    'attempting',
    'attempting',
    'done',
  ])
})

test.each([
  { kind: 'sent' as const, end: 'r-1 done revised' },
  { kind: 'fail' as const, end: 'r-1 cancelled revised' },
])('resolved as $kind the end is revised once, also after a restart', async ({ kind, end }) => {
  await bringIntoDoubt()
  await world.restart()
  const command = await resolve(kind)

  await world.command(command)
  await world.commit()
  await world.command(command)
  await world.commit()

  expect(world.committed).toEqual(['r-1 in-doubt', end])
  expect((await world.stored('r-1'))?.decisions).toEqual([command.decision])
  expect((await world.stored('r-1'))?.payload).toHaveLength(0)
  expect(honoured()).toEqual([true, false])
})

test('sent again, the same bytes go out once, and what comes of that revises the end', async () => {
  await bringIntoDoubt()
  const command = await resolve('resend')

  await world.command(command)
  await world.command(command)
  await world.turn()
  world.sink.of('r-1').hold()
  await world.turn()
  await world.commit()
  world.sink.of('r-1').reply('done')
  await world.turn()
  await world.commit()

  const [first, second, ...more] = world.sink.tries.map(each => each.attempt)
  expect(second).toEqual({ ...first, lastRelay: 'relay:25', onlyRelay: 'relay:25' })
  expect(more).toEqual([])
  expect(world.sink.dots('r-1')).toBe(2)
  expect(world.committed).toEqual(['r-1 in-doubt', 'r-1 done revised'])
  expect(honoured()).toEqual([true, false])
})

test('the detail of an end says what was decided before the last word of the other side', async () => {
  await world.accept({ identity: 'r-1' })
  await world.turn()
  world.sink.of('r-1').fail({ deferred: [{ target: 'a', reply: '451 later' }], reply: '451 later' })
  await world.turn()
  await world.commit()

  await world.command(cancel)

  expect(world.details).toEqual(['cancelled by ann: asked by phone; 451 later'])
})

test('what nobody knows cannot be decided', async () => {
  await world.command(cancel)

  expect(world.logged).toEqual([
    {
      fields: {
        event: 'decision',
        identity: 'r-1',
        ...decisionOf('cancel'),
        honoured: false,
      },
      message: 'cancelled by ann: asked by phone, which changes nothing: it is not known',
    },
  ])
})

test('a request whose schema nobody has asked for since the start is made ready before it is resolved', async () => {
  let isKnown = true
  const serde: Serde<string> = {
    ...utf8Serde,
    isReady: () => isKnown,
    prepare: async () => void (isKnown = true),
    deserialize: bytes => {
      if (!isKnown) throw new Error('the schema has not been prepared')
      return utf8Serde.deserialize(bytes)
    },
  }
  world = await EngineWorld.begin(serde)
  await bringIntoDoubt()
  await world.restart()
  isKnown = false

  await world.command(await resolve('sent'))
  await world.commit()

  expect(world.committed).toEqual(['r-1 in-doubt', 'r-1 done revised'])
})

const resolved = { kind: 'resolve', identity: 'r', endedAtMs: 1, decision: decisionOf('sent') }

test.each([cancel, resolved])('a command is read as it was written: $kind', command => {
  const bytes = effectCommandSerde.serialize(command as CancelCommand)

  expect(effectCommandSerde.deserialize(bytes)).toEqual(command)
})

test.each([
  'no JSON',
  'null',
  '7',
  '{"kind":"evidence","identity":"r"}',
  JSON.stringify({ ...cancel, identity: 7 }),
  JSON.stringify({ ...cancel, decision: decisionOf('sent') }),
  JSON.stringify({ ...cancel, decision: { ...decisionOf('cancel'), by: null } }),
  JSON.stringify({ ...cancel, decision: { ...decisionOf('cancel'), why: 1 } }),
  JSON.stringify({ ...cancel, decision: { ...decisionOf('cancel'), atMs: '1' } }),
  JSON.stringify({ ...cancel, decision: undefined }),
  JSON.stringify({ ...resolved, endedAtMs: undefined }),
  JSON.stringify({ ...resolved, decision: decisionOf('cancel') }),
  JSON.stringify({ ...resolved, kind: 'forget' }),
])('what is no command goes to the dead letters: %s', text => {
  expect(() => effectCommandSerde.deserialize(Buffer.from(text))).toThrow(
    expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
  )
})
