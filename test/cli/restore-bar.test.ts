import { expect, test } from 'vitest'
import { restoreBar, showRestoreBar } from '../../src/cli/restore-bar.ts'
import type { RestoreState } from '../../src/runtime/restore-progress.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const half: RestoreState = { records: 5, share: 0.5, recordsPerSecond: 10, secondsLeft: 3 }

test('the bar is as full as the restore is far', () => {
  expect(restoreBar(half)).toBe(
    '[###############---------------] restoring: 50 %, 10 records/s, 3 s left',
  )
})

test('it is drawn while stores are restored, and taken away after', async () => {
  const clock = new ManualClock()
  const processor: { restoring: RestoreState | undefined } = { restoring: undefined }
  const ending = new AbortController()
  const lines: string[] = []
  const terminal = { status: (line: string) => lines.push(line) }
  const shown = showRestoreBar({ processor, terminal, clock, signal: ending.signal })

  for (const restoring of [half, half, undefined, undefined]) {
    processor.restoring = restoring
    clock.advance(200)
    await Promise.resolve()
    await Promise.resolve()
  }
  ending.abort()
  await shown

  expect(lines).toEqual([restoreBar(half), restoreBar(half), ''])
})

test('nobody looks at a screen: nothing is drawn, and nothing is waited for', async () => {
  const clock = new ManualClock()
  const { signal } = new AbortController()
  const options = { processor: { restoring: half }, terminal: {}, clock, signal }

  await expect(showRestoreBar(options)).resolves.toBeUndefined()
})
