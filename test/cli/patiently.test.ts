import { expect, test } from 'vitest'
import { patiently } from '../../src/cli/patiently.ts'
import { StreamsError } from '../../src/errors.ts'
import type { LogFields, Logger } from '../../src/log.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const away = (): Promise<never> =>
  Promise.reject(new StreamsError('REGISTRY_UNAVAILABLE', 'nobody at http://r:1'))

function setUp(): {
  clock: ManualClock
  lines: { fields: LogFields; message: string | undefined }[]
  options: (signal: AbortSignal) => Parameters<typeof patiently>[1]
  untilPausing: () => Promise<void>
} {
  const clock = new ManualClock()
  const lines: { fields: LogFields; message: string | undefined }[] = []
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) => lines.push({ fields, message }),
  }
  return {
    clock,
    lines,
    options: signal => ({
      clock,
      log,
      signal,
      while: 'REGISTRY_UNAVAILABLE',
      event: 'registry-unreachable',
    }),
    untilPausing: async () => {
      for (let turn = 0; turn < 20 && clock.nextDueMs === undefined; turn += 1)
        await Promise.resolve()
    },
  }
}

test('calls until it works, with growing pauses and a line for each failure', async () => {
  const { clock, lines, options, untilPausing } = setUp()
  let failures = 9
  const result = patiently(() => {
    failures -= 1
    return failures < 0 ? Promise.resolve('there') : away()
  }, options(new AbortController().signal))

  for (let pause = 0; pause < 9; pause += 1) {
    await untilPausing()
    clock.fireNext()
  }

  expect(await result).toBe('there')
  expect(lines.map(({ fields }) => fields['retryInMs'])).toEqual([
    500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ])
  expect(lines[0]).toMatchObject({
    fields: { event: 'registry-unreachable' },
    message: 'nobody at http://r:1',
  })
})

test('throws any other failure at once', async () => {
  const { options } = setUp()
  const missing = (): Promise<never> =>
    Promise.reject(new StreamsError('SCHEMA_MISSING', 'not there'))

  await expect(patiently(missing, options(new AbortController().signal))).rejects.toThrow(
    'not there',
  )
})

test('ends its pause when it is told to stop', async () => {
  const { options, untilPausing } = setUp()
  const stop = new AbortController()
  const result = patiently(away, options(stop.signal))
  await untilPausing()

  stop.abort()

  expect(await result).toBeUndefined()
})
