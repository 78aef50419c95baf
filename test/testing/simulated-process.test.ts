import { describe, expect, test } from 'vitest'
import { sleep } from '../../src/clock.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { producerOf, readFrom, recordOf, requests, worldWith } from './world.ts'

describe('a killed process', () => {
  test('hears nothing any more: no timer, no reply, no listener', async () => {
    const world = worldWith()
    const process = world.startProcess('a')
    const cluster = world.connect(process)
    const heard: string[] = []
    const fetcher = cluster.createFetcher({ maxWaitMs: 1, maxBytes: 1, maxBytesPerPartition: 1 })
    fetcher.onReady(() => heard.push('records'))
    fetcher.assign(requests, 0)
    process.clock.schedule(10, () => heard.push('timer'))
    void cluster.admin.describeTopics([]).then(() => heard.push('reply'))
    process.onKill(() => heard.push('the machine sees it'))

    process.kill()
    process.kill()
    world.broker.append([recordOf('1')])
    await world.run({ withinMs: 1000 })

    expect(heard).toEqual(['the machine sees it'])
  })

  test('leaves its transaction to the time-out, and what it had sent to chance', async () => {
    const ends = new Set<number>()
    for (let seed = 1; seed <= 30; seed += 1) {
      const world = worldWith({ seed })
      const process = world.startProcess('a')
      const producer = await producerOf(world, world.connect(process))
      void producer.send([recordOf('1')])

      process.kill()
      await world.run({ withinMs: 9000 })
      const log = world.broker.log(requests)
      ends.add(log.endOffset)
      const isOpen = log.lastStableOffset < log.endOffset
      await world.run({ withinMs: 2000 })

      expect(isOpen).toBe(log.endOffset > 0)
      expect((await readFrom(world, requests, 0)).values).toEqual([])
    }
    expect(ends).toEqual(new Set([0, 1]))
  })
})

describe('a paused process', () => {
  test('hears everything when it goes on, in order', async () => {
    const world = new Simulation({ seed: 1 })
    const a = world.startProcess('a')
    const fired: string[] = []
    a.clock.schedule(10, () => fired.push('10'))
    a.clock.schedule(20, () => fired.push('20'))
    a.clock.schedule(5000, () => fired.push('5000'))

    a.pause()
    await world.run({ withinMs: 1000 })
    const whilePaused = [...fired]
    a.resume()
    await world.run({ withinMs: 1 })

    expect(whilePaused).toEqual([])
    expect(fired).toEqual(['10', '20'])
    expect(a.clock.monotonicMs()).toBe(1001)
  })

  test('on a suspended machine owes its timers the time it slept, by its monotonic clock', async () => {
    const world = new Simulation({ seed: 1 })
    const process = world.startProcess('a')
    const wallBefore = process.clock.nowMs()
    let firedAtMs = 0
    process.clock.schedule(100, () => {
      firedAtMs = process.clock.monotonicMs()
    })
    await world.run({ withinMs: 40 })

    process.pause('suspended')
    await world.run({ withinMs: 10_000 })
    process.resume()
    const monotonicMs = process.clock.monotonicMs()
    await world.run({ withinMs: 59 })
    const early = firedAtMs
    await world.run({ withinMs: 2 })

    expect(monotonicMs).toBe(40)
    expect(process.clock.nowMs() - wallBefore).toBe(10_101)
    expect([early, firedAtMs]).toEqual([0, 100])
  })
})

describe('a run', () => {
  test('ends when its predicate is true, when nothing is left, when it is late, or after its steps', async () => {
    const world = new Simulation({ seed: 1 })
    let rounds = 0
    const tick = (): void => {
      rounds += 1
      if (rounds < 10) world.clock.schedule(10, tick)
    }
    world.clock.schedule(10, tick)

    const ends = [
      await world.run({ until: () => rounds === 2 }),
      await world.run({ withinMs: 15 }),
      await world.run({ stepsMax: 2 }),
      await world.run(),
    ]

    expect(ends).toEqual(['done', 'late', 'stopped', 'idle'])
    expect(rounds).toBe(10)
    expect(world.clock.monotonicMs()).toBe(100)
  })

  test('says so when a promise cannot settle', async () => {
    const world = new Simulation({ seed: 1 })

    await expect(world.settle(new Promise(() => undefined))).rejects.toThrow('(idle)')
  })

  test('repeats itself, line by line, with the same seed, and not with another', async () => {
    const storyOf = async (seed: number): Promise<string> => {
      const rates = { lostRequest: 0.1, lostReply: 0.1, slowRequest: 0.1, slowReply: 0.1 }
      const world = worldWith({ seed, faultRates: { ...rates, slowMsMax: 20_000 } })
      const work = async (id: string): Promise<void> => {
        const process = world.startProcess(id)
        const producer = world
          .connect(process)
          .createProducer({ transactionalId: 'shared', transactionTimeoutMs: 10_000 })
        for (let round = 0; round < 20; round += 1) {
          try {
            await producer.init()
            await producer.send([recordOf(`${id} ${round}`)])
            await producer.commit()
          } catch (error) {
            world.story.tell(id, String(error))
          }
          await sleep(process.clock, 50)
        }
      }
      await world.settle(Promise.all([work('a'), work('b')]))
      const { values } = await readFrom(world, requests, 0)
      expect(values.length).toBeGreaterThan(0)
      return String(world.story)
    }

    const story = await storyOf(7)

    expect(await storyOf(7)).toBe(story)
    expect(await storyOf(8)).not.toBe(story)
    expect(story).toContain('commits: its producer asked for it')
  })
})
