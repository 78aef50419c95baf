import { expect, test } from 'vitest'

import { lastLinesOf } from '../../src/dev/running-server.ts'

test('the reason of a failure is not pushed out by its stack frames', () => {
  const frames = Array.from(
    { length: 40 },
    (_, line) => `\tat kafka.Kafka.main(Kafka.scala:${line})`,
  )

  expect(lastLinesOf(['start', 'the reason', ...frames, '\t... 12 more', ''].join('\n'))).toBe(
    'start\nthe reason',
  )
})

test('only the last fifteen lines are shown', () => {
  const lines = Array.from({ length: 20 }, (_, line) => `line ${line}`)

  expect(lastLinesOf(lines.join('\n')).split('\n')).toEqual(lines.slice(5))
})
