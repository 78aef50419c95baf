import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { FileProcessingMarks } from '../../src/runtime/file-processing-marks.ts'
import { noProcessingMarks, type ProcessingMarks } from '../../src/runtime/processing-marks.ts'
import type { SimulatedProcess } from '../../src/testing/simulated-process.ts'
import { HardWorld, type Life } from './hard-world.ts'
import { type PlainContext, plainTopics, plainTopology } from './plain-topology.ts'

let world: HardWorld
let path: string

beforeEach(() => {
  world = new HardWorld(7, plainTopics)
  const directory = mkdtempSync(join(tmpdir(), 'marks-'))
  path = join(directory, 'processing')
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

/** A dead process writes nothing, although the test goes on in its name. */
function marksOf(process: () => SimulatedProcess | undefined): ProcessingMarks {
  const marks = new FileProcessingMarks(path)
  const alive = (): boolean => process()?.alive !== false
  return {
    suspects: marks.suspects,
    begin: range => void (alive() && marks.begin(range)),
    end: () => void (alive() && marks.end()),
    replace: suspects => void (alive() && marks.replace(suspects)),
    [Symbol.asyncDispose]: () => marks[Symbol.asyncDispose](),
  }
}

/** Dies over `deadly`, and over whatever else is named while it is named. */
function startOne(deadly: ReadonlySet<string> = new Set(['deadly'])): Life {
  let life: Life | undefined = undefined as Life | undefined
  life = world.start('a', {
    topology: plainTopology(value => {
      if (!deadly.has(value)) return value
      life?.process.kill()
      throw new Error('this is not seen by anybody')
    }),
    environment: { processingMarks: marksOf(() => life?.process) },
  })
  return life
}

test('a record that kills the process three times goes to the dead letters, and its neighbours are processed', async () => {
  for (const value of ['one', 'deadly', 'two']) world.publishAt(0, value)

  let deaths = 0
  for (; deaths < 10; deaths += 1) {
    const life = startOne()
    await world.until(() => !life.process.alive || world.committed('dead-letters').length > 0)
    if (life.process.alive) break
  }

  expect(deaths).toBe(3)
  await world.until(() => world.committed('out').length === 2)
  expect(world.committed('out').toSorted()).toEqual(['one', 'two'])
  expect(world.committed('dead-letters')).toEqual(['deadly'])
  expect(world.headersOf('dead-letters')).toMatchObject([
    { 'error.code': 'PROCESSOR_FAILED', 'source.topic': 'in', 'source.offset': '1' },
  ])
})

test('records that were in a batch in which the process died once are processed, and cleared', async () => {
  const deadly = new Set(['one'])
  for (const value of ['one', 'two']) world.publishAt(0, value)
  const first = startOne(deadly)
  await world.until(() => !first.process.alive)
  deadly.clear()

  const second = startOne(deadly)
  await world.until(() => world.committed('out').length === 2)
  second.process.kill()

  expect(new FileProcessingMarks(path).suspects).toEqual([])
  expect(world.committed('dead-letters')).toEqual([])
})

test('deaths while waiting never count, however often', async () => {
  for (const value of ['one', 'two']) world.publishAt(0, value)

  for (let deaths = 0; deaths < 6; deaths += 1) {
    // Killed with every commit under way: the records were processed, and come again.
    world.simulation.faults.script({ name: 'produce' }, { kind: 'lost-request' }, 100)
    const life = startOne()
    await world.until(() => life.streams.isReady)
    await world.pass(50)
    life.process.kill()
  }

  expect(new FileProcessingMarks(path).suspects).toEqual([])
})

test('a death between two steps leaves no mark: whoever waits, for keys or for the cluster, dies of something else', async () => {
  const small = new HardWorld()
  let life: Life | undefined

  // The processing itself is one step, and nobody dies in it here.
  for (let steps = 10; steps < 46; steps += 2) {
    // Of even length its key is declared, of odd length it is missed and read while the record waits.
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f1']) small.publish(`${steps}${name}`)
    life = small.start('a', { environment: { processingMarks: marksOf(() => life?.process) } })
    const { streams } = life
    await small.until(() => streams.isReady)
    await small.simulation.run({ stepsMax: steps, withinMs: 60_000 })
    life.process.kill()
    expect(new FileProcessingMarks(path).suspects, `after ${steps} steps`).toEqual([])
  }

  expect(small.committed('unique').length).toBeGreaterThan(10)
}, 30_000)

test('a processor that throws over one record is asked three times, then the record is a dead letter', async () => {
  for (const value of ['one', 'bad', 'two']) world.publishAt(0, value)
  let asked = 0

  const life = world.start('a', {
    topology: plainTopology(value => {
      if (value !== 'bad') return value
      asked += 1
      throw new TypeError('cannot read properties of a thing')
    }),
  })
  // Each partition learns of the end of a transaction in its own time.
  const written = (): number =>
    world.committed('out').length + world.committed('dead-letters').length
  await world.until(() => written() === 3 || life.over)

  expect(life.failure).toBeUndefined()
  expect(asked).toBe(3)
  expect(world.committed('out').toSorted()).toEqual(['one', 'two'])
  expect(world.headersOf('dead-letters')).toMatchObject([
    { 'error.code': 'PROCESSOR_FAILED', 'source.offset': '1' },
  ])
  expect(world.headersOf('dead-letters')[0]?.['error.message']).toContain('properties of a thing')
})

test('an exception that passes costs nothing but a retry', async () => {
  world.publishAt(0, 'moody')
  let asked = 0

  const life = world.start('a', {
    topology: plainTopology(value => {
      asked += 1
      if (asked < 3) throw new Error('not today')
      return value
    }),
  })
  await world.until(() => world.committed('out').length === 1 || life.over)

  expect(world.committed('out')).toEqual(['moody'])
  expect(world.committed('dead-letters')).toEqual([])
})

test('a record whose result is too large for its topic goes to the dead letters alone', async () => {
  world.createTopic('small', { 'max.message.bytes': '1000' })
  for (const value of ['one', 'large', 'two', 'large', 'three']) world.publishAt(0, value)

  const life = world.start('a', {
    topology: plainTopology(value => (value === 'large' ? 'x'.repeat(5000) : value), 'small'),
    environment: { processingMarks: noProcessingMarks },
  })
  await world.until(() => world.committed('small').length === 3 || life.over)
  world.publishAt(0, 'four')
  await world.until(() => world.committed('small').length === 4 || life.over)

  expect(life.failure).toBeUndefined()
  expect(world.committed('small').toSorted()).toEqual(['four', 'one', 'three', 'two'])
  expect(world.headersOf('dead-letters')).toMatchObject([
    { 'error.code': 'RECORD_TOO_LARGE', 'source.offset': '1' },
    { 'error.code': 'RECORD_TOO_LARGE', 'source.offset': '3' },
  ])
})

test('a timer whose output is too large is not taken out on a record: the instance stops and says so', async () => {
  world.createTopic('small', { 'max.message.bytes': '1000' })
  let seen = 0
  let isLoud = false
  const timer = {
    everyMs: 1,
    by: 'wall-clock' as const,
    punctuate: (timestampMs: number, context: PlainContext) => {
      if (!isLoud) return
      isLoud = false
      context.forward({ key: 'timer', value: 'x'.repeat(5000), headers: [], timestampMs })
    },
  }
  const change = (value: string): string => {
    // It speaks once, when the first record is processed alone.
    if (value === 'one') isLoud = (seen += 1) === 2
    return value === 'large' ? 'x'.repeat(5000) : value
  }
  for (const value of ['one', 'two', 'large', 'three', 'four']) world.publishAt(0, value)

  const life = world.start('a', {
    topology: plainTopology(change, 'small', undefined, [timer]),
    environment: { processingMarks: noProcessingMarks },
  })
  await world.until(() => life.over || world.committed('small').length === 4)

  expect(life.failure).toMatchObject({
    code: 'RECORD_TOO_LARGE',
    message: expect.stringContaining('no input record is to blame') as string,
  })
  expect(world.committed('dead-letters')).toEqual([])
})
