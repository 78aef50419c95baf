import { beforeEach, expect, test } from 'vitest'
import { Circuit } from '../src/circuit.ts'
import { seededRandom } from '../src/random.ts'
import { ManualClock } from '../src/testing/manual-clock.ts'

/** In the middle of the jitter. */
const noJitter = { next: () => 0.5, uuid: () => '' }

let clock: ManualClock
let changes: string[]
let circuit: Circuit

beforeEach(() => {
  clock = new ManualClock()
  changes = []
  circuit = new Circuit(clock, noJitter, { onChange: state => changes.push(state) })
})

function fail(): void {
  circuit.begin()!('unavailable')
}

test('out of reach, nobody may try until the back-off is over', () => {
  fail()

  expect(circuit.begin()).toBe(undefined)
  expect(circuit.retryInMs).toBe(500)
  clock.advance(499)
  expect(circuit.begin()).toBe(undefined)
  clock.advance(1)
  expect(circuit.begin()).toBeTypeOf('function')
  expect(changes).toEqual(['open', 'half-open'])
})

test('one try looks, and nobody else meanwhile', () => {
  fail()
  clock.advance(500)

  const probe = circuit.begin()

  expect(circuit.begin()).toBe(undefined)
  probe!('answered')
  expect(circuit.begin()).toBeTypeOf('function')
  expect(circuit.state).toBe('closed')
})

test('each probe that fails doubles the back-off, up to 30 s', () => {
  const delays: number[] = []
  for (let probe = 0; probe < 9; probe += 1) {
    fail()
    delays.push(circuit.retryInMs)
    clock.advance(circuit.retryInMs)
  }

  expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('an answer begins the count anew', () => {
  fail()
  clock.advance(500)
  fail()
  clock.advance(1000)
  circuit.begin()!('answered')

  fail()

  expect(circuit.retryInMs).toBe(500)
})

test('tries that began together and fail together count once', () => {
  const [first, second, third] = [circuit.begin()!, circuit.begin()!, circuit.begin()!]

  first('unavailable')
  second('unavailable')
  clock.advance(500)
  const probe = circuit.begin()!
  third('unavailable')

  expect(circuit.state).toBe('half-open')
  probe('answered')
  expect(circuit.state).toBe('closed')
})

test('a probe that was stopped lets another one look', () => {
  fail()
  clock.advance(500)

  circuit.begin()!('nothing')

  expect(circuit.state).toBe('open')
  expect(circuit.begin()).toBeTypeOf('function')
})

test('a try that was stopped says nothing about a relay that is in reach', () => {
  circuit.begin()!('nothing')

  expect(changes).toEqual([])
})

test('jitter keeps many instances from coming back together', () => {
  const random = seededRandom(1)
  const delays = Array.from({ length: 50 }, () => {
    const each = new Circuit(clock, random)
    each.begin()!('unavailable')
    return each.retryInMs
  })

  expect(Math.min(...delays)).toBeGreaterThanOrEqual(375)
  expect(Math.max(...delays)).toBeLessThanOrEqual(625)
  expect(new Set(delays).size).toBe(50)
})

test('what a try finds out after its beginning counts as well, also that of a probe', () => {
  fail()
  clock.advance(500)
  const probe = circuit.begin()!
  probe('answered')

  probe('unavailable')

  expect(circuit.state).toBe('open')
  expect(circuit.retryInMs).toBe(500)
})

test('the other side’s own time to wait counts before the back-off', () => {
  circuit.begin()!('unavailable', 7000)

  expect(circuit.retryInMs).toBe(7000)
})

test('who waits is told when the back-off is over', () => {
  const told: number[] = []
  const onMayTry = (): void => void told.push(clock.monotonicMs())
  const watched = new Circuit(clock, noJitter, { onMayTry })

  watched.begin()!('unavailable')
  clock.advance(499)
  const early = told.length
  clock.advance(1)

  expect([early, told.length]).toEqual([0, 1])
})
