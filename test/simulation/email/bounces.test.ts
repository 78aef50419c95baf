import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import { brokenPromises } from './promises.ts'
import { Reporter } from './reporter.ts'
import { requestHistories } from './request-histories.ts'

const seeds = Array.from({ length: 100 }, (_, index) => index + 1)

test('with mails that come back every promise holds, and each is told of once, whatever breaks', async () => {
  const failures: string[] = []
  let reported = 0
  for (const seed of seeds) {
    const reporter = new Reporter(seed)
    const world = await liveThrough(seed, { atStep: reporter.act })
    reported += reporter.reported
    const histories = requestHistories(world)
    const broken = [...(await brokenPromises(world)), ...reporter.broken(histories, world)]
    // Who only knows a Message-ID, and comes before its mail has ended, is turned away.
    const unexpected = broken.filter(each => !/message-ids-repartition.*dead letter/.test(each))
    failures.push(...unexpected.map(each => `seed ${seed}: ${each}`))
  }

  expect(failures).toEqual([])
  expect(reported).toBeGreaterThan(100)
})
