import { expect, test } from 'vitest'
import type { LogFields } from '../../src/log.ts'
import { silentLogger } from '../../src/log.ts'
import { RestoreProgress, restoreText } from '../../src/runtime/restore-progress.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

function world(): { clock: ManualClock; progress: RestoreProgress; lines: LogFields[] } {
  const clock = new ManualClock()
  const lines: LogFields[] = []
  const log = { ...silentLogger, info: (fields: LogFields) => lines.push(fields) }
  return { clock, progress: new RestoreProgress(clock, log), lines }
}

test('while nothing is restored there is nothing to tell', () => {
  const { progress } = world()

  progress.begin(10).end()

  expect(progress.state).toBeUndefined()
})

test('all tasks count together, by offsets; the pace by records', () => {
  const { clock, progress } = world()
  const first = progress.begin(300)
  progress.begin(100)

  clock.advance(2000)
  first.advance(80, 100)

  expect(progress.state).toEqual({
    records: 80,
    share: 0.25,
    recordsPerSecond: 40,
    secondsLeft: 6,
  })
})

test('a task that has ended counts as through, whatever it passed', () => {
  const { clock, progress } = world()
  const first = progress.begin(100)
  progress.begin(100)
  clock.advance(1000)
  first.advance(500, 500)

  first.end()

  expect(progress.state?.share).toBe(0.5)
})

test('what is restored later is counted anew', () => {
  const { progress } = world()
  const first = progress.begin(100)
  first.advance(100, 100)
  first.end()

  progress.begin(50)

  expect(progress.state).toMatchObject({ records: 0, share: 0 })
})

test('a line every five seconds, with the pace and the time that is left', () => {
  const { clock, progress, lines } = world()
  const task = progress.begin(1000)

  for (let second = 1; second <= 12; second += 1) {
    clock.advance(1000)
    task.advance(50, 50)
  }

  expect(lines).toEqual([
    { event: 'restoring', records: 250, percent: 25, recordsPerSecond: 50, secondsLeft: 15 },
    { event: 'restoring', records: 500, percent: 50, recordsPerSecond: 50, secondsLeft: 10 },
  ])
})

test.each([
  { secondsLeft: 23.2, text: 'restoring: 34 %, 280,000 records/s, 24 s left' },
  { secondsLeft: Infinity, text: 'restoring: 34 %, 280,000 records/s' },
])('for a person: $text', ({ secondsLeft, text }) => {
  const state = { records: 1, share: 0.345, recordsPerSecond: 280_000, secondsLeft }

  expect(restoreText(state)).toBe(text)
})
