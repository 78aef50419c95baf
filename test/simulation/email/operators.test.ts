import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import { Operators } from './operators.ts'
import { brokenPromises } from './promises.ts'

const seeds = Array.from({ length: 200 }, (_, index) => index + 1)
const carriedOut = {
  cancelled: /cancelled by ann \{.*"honoured":true/,
  sent: /resolved as sent by ann \{.*"honoured":true/,
  failed: /resolved as failed by ann \{.*"honoured":true/,
  'sent again': /resolved to be sent again by ann \{.*"honoured":true/,
  'not honoured': /by ann, which changes nothing: .*"honoured":false/,
}

test('with people who cancel and resolve, every promise holds, whatever breaks', async () => {
  const failures: string[] = []
  const reached = new Set<string>()
  for (const seed of seeds) {
    const operators = new Operators(seed)
    const world = await liveThrough(seed, { atStep: operators.act })
    const story = String(world.simulation.story)
    for (const [what, pattern] of Object.entries(carriedOut))
      if (pattern.test(story)) reached.add(what)
    failures.push(...(await brokenPromises(world)).map(each => `seed ${seed}: ${each}`))
  }

  expect(failures).toEqual([])
  expect([...reached].toSorted()).toEqual(Object.keys(carriedOut).toSorted())
})
