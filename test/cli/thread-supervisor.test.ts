import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { ThreadSupervisor } from '../../src/cli/thread-supervisor.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { FakeThread } from './fake-thread.ts'

const restMs = 10_000
const died = new Error('JS heap out of memory')

let clock: ManualClock
let threads: readonly [FakeThread, FakeThread]
let supervisor: ThreadSupervisor
let firstReady: number
beforeEach(() => {
  clock = new ManualClock()
  threads = [new FakeThread(), new FakeThread()]
  firstReady = 0
  supervisor = new ThreadSupervisor({
    threads: 2,
    startThread: index => threads[index]!,
    onFirstReady: () => (firstReady += 1),
    restMs,
    clock,
    log: silentLogger,
  })
})

/** Lets time pass in steps in which promises settle. */
async function pass(durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 100) {
    clock.advance(100)
    await setImmediate()
  }
}

const failureOf = (run: Promise<void>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  )

const stops = (thread: FakeThread): number =>
  thread.heard.filter(each => each.kind === 'stop').length

describe('the end', () => {
  test('all stop when they are told to', async () => {
    const run = supervisor.run()

    supervisor.stop(1000)

    await expect(run).resolves.toBeUndefined()
    expect(threads.map(stops)).toEqual([1, 1])
  })

  test('a stop that came before the threads reaches them', async () => {
    supervisor.stop(1000)

    await expect(supervisor.run()).resolves.toBeUndefined()
  })

  test('one that dies ends all: the others come to rest first, and the process says what it died of', async () => {
    const failure = failureOf(supervisor.run())

    threads[1].die(died)

    expect(await failure).toMatchObject({
      code: 'THREAD_DIED',
      message: expect.stringContaining('thread 1 of this process has died: JS heap out of memory'),
    })
    expect(stops(threads[0])).toBe(1)
  })

  test('one that fails ends all with its error', async () => {
    const failure = failureOf(supervisor.run())

    threads[0].end({ kind: 'failed', code: 'CHANGELOG_LOST', message: 'gone' })

    expect(await failure).toMatchObject({ code: 'CHANGELOG_LOST', message: 'gone' })
    expect(stops(threads[1])).toBe(1)
  })

  test('one that vanishes without a word is no end in order', async () => {
    const failure = failureOf(supervisor.run())

    await threads[0].terminate()

    expect(await failure).toMatchObject({ code: 'THREAD_DIED' })
  })

  test('one that does not come to rest in time is ended', async () => {
    threads[0].obeys = false
    const failure = failureOf(supervisor.run())

    threads[1].die(died)
    await pass(restMs - 200)
    const before = threads[0].terminated
    await pass(400)

    expect(await failure).toMatchObject({ code: 'THREAD_DIED' })
    expect([before, threads[0].terminated]).toEqual([false, true])
  })
})

describe('health', () => {
  test('is that of the thread that is not ready yet', async () => {
    const run = supervisor.run()
    threads[0].isReady()
    await pass(200)

    expect(supervisor.health()).toEqual({ healthy: true, ready: false, text: 'thread 1 starting' })
    expect(firstReady).toBe(0)

    supervisor.stop(0)
    await run
  })

  test('all ready is ready, and said once', async () => {
    const run = supervisor.run()
    for (const thread of threads) thread.isReady()
    await pass(500)

    expect(supervisor.health()).toEqual({ healthy: true, ready: true, text: 'running' })
    expect(firstReady).toBe(1)

    supervisor.stop(0)
    await run
  })

  test('a thread that says nothing for half a minute is stuck, and so is the process', async () => {
    const run = supervisor.run()
    threads[0].isReady()
    threads[1].isReady()
    await pass(20_000)
    threads[0].isReady()
    await pass(11_000)

    expect(supervisor.health()).toEqual({
      healthy: false,
      ready: false,
      text: 'thread 1 stuck: it has said nothing for 31 s',
    })

    supervisor.stop(0)
    await run
  })
})

describe('questions', () => {
  test('a thread that does not answer has told before what counts', async () => {
    const run = supervisor.run()
    await supervisor.measured()
    threads[0].counted = 4
    threads[1].answers = false

    const measured = supervisor.measured()
    await pass(5000)

    const [metric] = await measured
    expect(metric?.values).toEqual(new Map([['', 5]]))
    supervisor.stop(0)
    await run
  })

  test('nobody waits for a thread that is gone', async () => {
    threads[1].answers = false
    const run = supervisor.run()
    const asked = supervisor.query('/requests/a/b', undefined)

    supervisor.stop(0)
    await run

    await expect(asked).resolves.toBeDefined()
  })
})
