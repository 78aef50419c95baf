import { expect, test } from 'vitest'
import { StreamsError } from '../../src/errors.ts'
import type { Serde } from '../../src/serde.ts'
import { type Text, type TextContext, TaskWorld, words } from './task-world.ts'

/** Says each word once. */
function sayOnce(record: Text, context: TextContext): void {
  const store = context.store(words)
  context.forward({ ...record, value: `heard ${record.value}` })
  if (store.get(record.value) !== undefined) return
  store.put(record.value, 'said')
  context.count('said')
  context.forward({ ...record, value: `said ${record.value}` })
}

test('a missed key takes everything back that the record did, reads the key, and does it again', async () => {
  const world = await TaskWorld.running({ process: sayOnce })

  world.feed(['a'])
  await world.processAll()

  expect(world.produced('out')).toEqual(['heard a', 'said a'])
  expect(world.cycle.counts.get('said')).toBe(1)
})

test('a record sees what the one before it in the same cycle wrote', async () => {
  const world = await TaskWorld.running({ process: sayOnce })

  world.feed(['a', 'a', 'b', 'a'])
  await world.processAll()

  expect(world.produced('out').filter(each => each.startsWith('said'))).toEqual([
    'said a',
    'said b',
  ])
})

test('a record sees what was committed, also after the overlay has gone', async () => {
  const world = await TaskWorld.running({ process: sayOnce })
  world.feed(['a'])
  await world.processAll()
  await world.commit()

  world.feed(['a'], 1)
  await world.processAll()

  expect(world.produced('out')).toEqual(['heard a'])
})

test('keys are missed one after the other until the record has run through', async () => {
  const runs: string[] = []
  const world = await TaskWorld.running({
    process: (record, context) => {
      runs.push(record.value)
      const store = context.store(words)
      for (const key of ['k-1', 'k-2', 'k-3']) store.get(key)
      context.forward(record)
    },
  })

  world.feed(['a'])
  await world.processAll()

  expect(runs).toHaveLength(4)
  expect(world.produced('out')).toEqual(['a'])
})

test.each<{ what: string; value: string | null; message: string }>([
  { what: 'null', value: null, message: 'null' },
  { what: 'what a processor refuses', value: 'bad', message: 'not this one' },
])('$what goes to the dead letters, and nothing of it elsewhere', async ({ value, message }) => {
  const world = await TaskWorld.running({
    process: (record, context) => {
      context.forward(record)
      const store = context.store(words)
      store.put(record.value, 'said')
      if (record.value === 'bad') throw new StreamsError('RECORD_UNDECODABLE', 'not this one')
    },
  })

  world.feed(['good', value, 'better'])
  await world.processAll()

  expect(world.produced('out')).toEqual(['good', 'better'])
  expect(world.outputs('dead').map(each => each.value?.toString() ?? null)).toEqual([value])
  const code = world.outputs('dead')[0]?.headers.find(each => each.key === 'error.message')
  expect(String(code?.value)).toContain(message)
  await world.commit()
  expect(await world.stored('bad')).toBeUndefined()
})

test('a store that its node has not declared is refused, whatever was asked for before', async () => {
  const world = await TaskWorld.running({
    process: (_record, context) => {
      context.store(words)
      context.store({ ...words, name: 'others' })
    },
  })

  world.feed(['a'])

  await expect(world.processAll()).rejects.toThrow("'others' without declaring it")
})

test('an error that is no dead letter ends the batch: nothing is skipped in silence', async () => {
  const world = await TaskWorld.running({
    process: () => {
      throw new TypeError('a bug')
    },
  })

  world.feed(['a'])

  await expect(world.processAll()).rejects.toThrow('a bug')
  expect(world.task.queues.get('in')?.position).toBe(0)
})

test('what is written between two records is not taken back with the second', async () => {
  const world = await TaskWorld.running({
    process: (record, context) => {
      if (record.value === 'bad') throw new StreamsError('RECORD_UNDECODABLE', 'not this one')
      context.store(words).get(record.value)
    },
  })
  world.feed(['bad'])
  await world.processAll()
  // As an effect does in its turn.
  world.task.overlays[0]?.put('attempt', 'written')

  world.feed(['missed'], 1)
  await world.processAll()
  await world.commit()

  expect(await world.stored('attempt')).toBe('written')
})

test('keys that are read ahead while their cycle reaches the disk are neither missed nor read again', async () => {
  const world = await TaskWorld.running({ process: sayOnce, prefetch: true })
  world.feed(['a'])
  await world.processAll()
  const frozen = world.task.freeze('test:1')
  const { backend } = world.task.stores.get(words.name)!
  // The filter would answer for the disk, which has nothing under 'b'.
  backend.mayHave = () => true
  const reads: string[] = []
  const read = backend.getMany.bind(backend)
  backend.getMany = keys => {
    reads.push(...keys)
    return read(keys)
  }

  world.feed(['a', 'b'], 1)
  const ahead = world.processing.prepare(10)!
  const writes = frozen.stores.flatMap(each => each.writes)
  await world.simulation.settle(backend.apply(writes, { topicId: 't', offset: 1 }))
  await world.simulation.settle(ahead.process())
  world.task.retire()

  expect([...world.cycle.counts]).toEqual([['said', 2]])
  expect(reads).toEqual(['b'])
})

test('a batch that is dropped comes again, whole', async () => {
  const world = await TaskWorld.running()
  world.feed(['a', 'b', 'c'])

  world.processing.prepare(2)!.drop()
  await world.processAll()

  expect(world.produced('out')).toEqual(['a', 'b', 'c'])
})

test('positions follow the records, a batch at a time', async () => {
  const world = await TaskWorld.running()
  world.feed(['a', 'b', 'c'])

  await world.simulation.settle(world.processSome(2))
  const half = world.task.freeze('test:1')
  world.task.retire()
  await world.processAll()
  const whole = world.task.freeze('test:2')

  expect(half.offsets.map(each => each.offset)).toEqual([2])
  expect(whole.offsets.map(each => each.offset)).toEqual([3])
})

test('stream time is the highest that was seen', async () => {
  const times: number[] = []
  const world = await TaskWorld.running({
    process: (_record, context) => void times.push(context.streamTimeMs),
  })

  world.feed(['late'], 50)
  world.feed(['early'], 10)
  await world.processAll()

  expect(times).toEqual([1050, 1050])
})

test('a record knows where it stood, a punctuation stands nowhere', async () => {
  const origins: (number | undefined)[] = []
  const world = await TaskWorld.running({
    process: (_record, context) => void origins.push(context.origin?.offset),
    punctuations: [
      {
        everyMs: 100,
        by: 'wall-clock',
        punctuate: (_timeMs, context) => void origins.push(context.origin?.offset),
      },
    ],
  })

  world.feed(['a'], 7)
  await world.processAll()
  await world.simulation.settle(world.processing.punctuate())

  expect(origins).toEqual([7, undefined])
})

/** Knows a value only when it has been asked for it and the registry answered. */
class LearningSerde implements Serde<string> {
  readonly known = new Set<string>()
  isReachable = false
  asked = 0

  isReady(bytes: Buffer): boolean {
    return !bytes.toString().startsWith('new') || this.known.has(bytes.toString())
  }

  async prepare(bytes: Buffer): Promise<void> {
    this.asked += 1
    if (!this.isReachable) throw new StreamsError('REGISTRY_UNAVAILABLE', 'no registry')
    this.known.add(bytes.toString())
  }

  deserialize(bytes: Buffer): string {
    return bytes.toString()
  }

  serialize(value: string): Buffer {
    return Buffer.from(value)
  }
}

test('an unknown schema parks its partition, in order, until the registry answers', async () => {
  const value = new LearningSerde()
  const world = await TaskWorld.running({ value })

  world.feed(['old', 'new', 'old again'])
  await world.processAll()
  const parked = world.produced('out')
  await world.simulation.run({ withinMs: 5000 })
  value.isReachable = true
  const stillParked = await world.processAll()
  await world.simulation.run({ withinMs: 30_000 })
  await world.processAll()

  expect(parked).toEqual(['old'])
  expect(stillParked).toBe(0)
  expect(value.asked).toBeGreaterThan(2)
  expect(world.produced('out')).toEqual(['old', 'new', 'old again'])
  expect(world.outputs('dead')).toEqual([])
})

test('a task that leaves no longer asks the registry', async () => {
  const value = new LearningSerde()
  const world = await TaskWorld.running({ value })
  world.feed(['new'])
  await world.processAll()

  world.task.leaving.abort()
  await world.simulation.run({ withinMs: 60_000 })

  expect(value.asked).toBe(1)
})

test('punctuations run at once and then after each interval', async () => {
  const times: number[] = []
  const punctuate = (timeMs: number): void => void times.push(timeMs)
  const world = await TaskWorld.running({
    punctuations: [
      { everyMs: 100, by: 'wall-clock', punctuate },
      { everyMs: 1000, by: 'stream-time', punctuate: timeMs => punctuate(-timeMs) },
    ],
  })
  const { processing, simulation } = world
  const startMs = simulation.clock.nowMs()

  await simulation.settle(processing.punctuate())
  expect(processing.nextPunctuationMs()).toBe(100)
  simulation.clock.advance(99)
  await simulation.settle(processing.punctuate())
  simulation.clock.advance(1)
  await simulation.settle(processing.punctuate())
  world.feed(['a'])
  await world.processAll()
  await simulation.settle(processing.punctuate())

  expect(times).toEqual([startMs, startMs + 100, -1000])
})
