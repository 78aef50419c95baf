import { expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'

test('no delay at all is the next turn of the loop, and can be taken back', async () => {
  const fired: string[] = []

  systemClock.schedule(0, () => fired.push('kept'))
  systemClock.schedule(0, () => fired.push('taken back'))()
  fired.push('scheduled')
  await new Promise(resolve => setImmediate(resolve))

  expect(fired).toEqual(['scheduled', 'kept'])
})
