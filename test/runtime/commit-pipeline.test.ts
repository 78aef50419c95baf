import { beforeEach, expect, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import type { JournalEvidence } from '../../src/effects/journal.ts'
import { effectCommandSerde } from '../../src/effects/outbox.ts'
import { StreamsError } from '../../src/errors.ts'
import { CommitPipeline } from '../../src/runtime/commit-pipeline.ts'
import { exactlyOnce } from '../../src/runtime/committer.ts'
import { RuntimeMetrics } from '../../src/runtime/runtime-metrics.ts'
import { RecordingJournal } from '../effects/recording-journal.ts'
import { RecordingProducer } from './recording-producer.ts'
import { type Text, type TextContext, TaskWorld, words } from './task-world.ts'

const generation = { groupId: 'app', memberId: 'm', generationId: 7, groupInstanceId: null }

const evidence: JournalEvidence = {
  token: 't-1',
  identity: 'r-1',
  topic: 'commands',
  partition: 1,
  outcome: 'done',
  reply: '250 ok',
  atMs: 5,
}

let world: TaskWorld
let producer: RecordingProducer
let journal: RecordingJournal
let pipeline: CommitPipeline
let wakes: number

function remember(record: Text, context: TextContext): void {
  context.store(words).put(record.value, 'said')
  context.count('said')
  context.forward(record)
}

beforeEach(async () => {
  producer = new RecordingProducer()
  journal = new RecordingJournal()
  world = await TaskWorld.running({ process: remember })
  wakes = 0
  pipeline = new CommitPipeline({
    committer: exactlyOnce(producer),
    clock: world.simulation.clock,
    metrics: new RuntimeMetrics(),
    journal,
    incarnation: 'life',
    wake: () => (wakes += 1),
    commitIntervalMs: 100,
  })
  world.simulation.clock.advance(1000)
})

/** What the worker does with a batch. */
async function process(...values: readonly string[]): Promise<void> {
  world.cycle = pipeline.active
  world.feed(values, world.task.queues.get('in')!.position)
  await world.processAll()
}

function start({ urgent = false, quiet = true, growing = false } = {}): number {
  return pipeline.startIfDue({ tasks: [world.task], generation, urgent, quiet, growing })
}

/** Everything has run that waits for nothing but itself and the disk. */
async function settled(): Promise<void> {
  await world.simulation.run({ withinMs: 50 })
}

test('a commit is outputs and changelog, then the fenced positions, then the end, then the disk', async () => {
  await process('a')

  start()
  await settled()
  await pipeline.finish()

  expect(producer.calls).toEqual(['send', 'addOffsets of generation 7', 'commit'])
  expect(producer.sent.map(each => [each.topic, String(each.key)])).toEqual([
    ['out', 'key'],
    ['app-words-changelog', 'a'],
  ])
  expect(producer.offsets).toMatchObject([{ topic: 'in', partition: 0, offset: 1 }])
  expect(producer.offsets[0]?.metadata).toMatch(/^life:1\b/)
  expect(await world.stored('a')).toBe('said')
  expect(wakes).toBe(1)
})

test('while the transaction is under way the disk has nothing of it', async () => {
  let end: () => void = () => undefined
  producer.held = new Promise(resolve => (end = resolve))
  await process('a')

  start()
  await settled()
  const during = await world.stored('a')
  end()
  await settled()

  expect(during).toBeUndefined()
  expect(await world.stored('a')).toBe('said')
})

test.each(['send', 'addOffsets', 'commit'] as const)(
  'a commit that fails at %s leaves the disk as it was, and says so',
  async step => {
    const error = new StreamsError('TRANSACTION_ABORTED', 'no')
    producer.failAt = { step, error }
    await process('a')

    start()
    await settled()

    await expect(pipeline.finish()).rejects.toBe(error)
    expect(await world.stored('a')).toBeUndefined()
  },
)

test('a cycle that consumed nothing is fenced by a position it owns', async () => {
  world.cycle = pipeline.active
  world.task.overlays[0]?.put('reply', 'of a relay')

  start({ urgent: true })
  await settled()

  expect(producer.offsets).toMatchObject([{ topic: 'in', partition: 0, offset: 0 }])
})

test('one commits, the next is filled, and a third waits', async () => {
  let end: () => void = () => undefined
  producer.held = new Promise(resolve => (end = resolve))
  await process('a')
  start()
  await process('b')

  expect(start()).toBe(Infinity)
  expect(pipeline.isBusy).toBe(true)
  end()
  await settled()
  await pipeline.finish()
  expect(pipeline.isBusy).toBe(false)
  start()
  await settled()

  expect(producer.offsets.map(each => each.offset)).toEqual([1, 2])
})

test.each([
  { rule: 'at once when it is quiet', request: { quiet: true }, waitMs: 0 },
  { rule: 'at once when an effect waits', request: { quiet: false, urgent: true }, waitMs: 0 },
  { rule: 'after the interval under load', request: { quiet: false }, waitMs: 100 },
])('content is committed $rule', async ({ request, waitMs }) => {
  await process('a')

  const delayMs = start(request)
  const isEarly = pipeline.isBusy
  world.simulation.clock.advance(waitMs)
  start(request)

  expect(delayMs).toBe(waitMs === 0 ? Infinity : waitMs)
  expect(isEarly).toBe(waitMs === 0)
  expect(pipeline.isBusy).toBe(true)
})

test('between two transactions lies a pause of 2 ms', async () => {
  const { clock } = world.simulation
  // Without writes no disk is waited for: no time passes.
  pipeline.addEvidence(evidence)
  start()
  await new Promise(resolve => setImmediate(resolve))
  await pipeline.finish()
  pipeline.addEvidence({ ...evidence, token: 't-2' })

  const delayMs = start({ urgent: true })
  const isEarly = pipeline.isBusy
  clock.advance(2)
  start({ urgent: true })

  expect([delayMs, isEarly, pipeline.isBusy]).toEqual([2, false, true])
})

test('what is about to come is waited for as long as the last transaction took, and no longer', async () => {
  const { clock } = world.simulation
  producer.held = sleep(clock, 8)
  await process('a')
  start()
  await settled()
  await pipeline.finish()
  producer.held = Promise.resolve()
  const asked: number[] = []

  await process('b')
  asked.push(start({ urgent: true, growing: true }))
  clock.advance(7)
  asked.push(start({ urgent: true, growing: true }))
  clock.advance(1)
  asked.push(start({ urgent: true, growing: true }))

  expect(asked).toEqual([8, 1, Infinity])
})

test('a commit goes at once when nobody else is on his way', async () => {
  producer.held = sleep(world.simulation.clock, 8)
  await process('a')
  start()
  await settled()
  await pipeline.finish()
  await process('b')
  start({ urgent: true, growing: true })

  expect(start({ urgent: true, growing: false })).toBe(Infinity)
  expect(pipeline.isBusy).toBe(true)
})

test('nothing to commit is no commit; markers that were stepped over wait 5 s', async () => {
  expect(start()).toBe(Infinity)
  world.task.enqueue({
    topic: 'in',
    partition: 0,
    records: [],
    nextOffset: 3,
    highWatermark: 3,
    logStartOffset: 0,
  })

  expect(start()).toBe(5000)
  world.simulation.clock.advance(5000)
  start()
  await settled()

  expect(producer.offsets.map(each => each.offset)).toEqual([3])
})

test('evidence for another owner goes out with the next commit, and is settled after it', async () => {
  pipeline.addEvidence(evidence)

  start()
  await settled()
  const before = [...journal.lines]
  await pipeline.finish()

  const [record] = producer.sent
  expect(record).toMatchObject({ topic: 'commands', partition: 1 })
  expect(effectCommandSerde.deserialize(record!.value!)).toMatchObject({
    identity: 'r-1',
    token: 't-1',
    outcome: 'done',
  })
  expect([before, journal.lines]).toEqual([[], ['settled t-1']])
})

test('evidence whose commit failed goes out again', async () => {
  producer.failAt = { step: 'commit', error: new StreamsError('TRANSACTION_ABORTED', 'no') }
  pipeline.addEvidence(evidence)
  start()
  await settled()
  producer.failAt = undefined

  await pipeline.abandon([world.task])
  await world.restore()
  start()
  await settled()
  await pipeline.finish()

  expect(producer.sent.filter(each => each.topic === 'commands')).toHaveLength(2)
  expect(journal.lines).toEqual(['settled t-1'])
})

test('abandoned, both cycles never were: nothing of them is sent or counted', async () => {
  producer.failAt = { step: 'send', error: new StreamsError('BROKER_UNAVAILABLE', 'no') }
  await process('a')
  start()
  await process('b')
  await settled()

  await pipeline.abandon([world.task])
  producer.failAt = undefined
  await world.restore()
  start()
  await settled()

  expect(producer.sent).toEqual([])
  expect(world.task.hasWrites).toBe(false)
  expect(pipeline.isFull([world.task])).toBe(false)
})

test('what is written into stores fills a cycle as what is produced does', async () => {
  await process('x'.repeat(16 * 1024 * 1024))

  const { bytes } = pipeline.active
  world.task.stores.get(words.name)!.overlaid.put('key', 'y'.repeat(16 * 1024 * 1024))
  pipeline.active.bytes = 0
  const byWrites = pipeline.isFull([world.task])
  start({ quiet: true })
  await settled()

  expect(bytes).toBeGreaterThan(16 * 1024 * 1024)
  expect(byWrites).toBe(true)
  expect(pipeline.isFull([world.task])).toBe(false)
})

test('a full cycle takes no more, until it commits', async () => {
  pipeline.active.records = 20_000
  expect(pipeline.isFull([world.task])).toBe(true)

  start({ quiet: false })

  expect(pipeline.isFull([world.task])).toBe(false)
  expect(pipeline.isBusy).toBe(true)
})

test('an instance whose journal has failed commits no attempt any more', async () => {
  journal.failure = new StreamsError('DISK_FULL', 'full')
  await process('a')

  start()
  await settled()

  await expect(pipeline.finish()).rejects.toBe(journal.failure)
  expect(producer.calls).toEqual([])
})
