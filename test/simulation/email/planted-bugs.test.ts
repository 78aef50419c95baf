import { expect, test } from 'vitest'
import { liveThrough } from './chaos.ts'
import { clusterBugs } from './planted/cluster-bugs.ts'
import { machineBugs } from './planted/machine-bugs.ts'
import { sinkBugs } from './planted/sink-bugs.ts'
import { topologyBugs } from './planted/topology-bugs.ts'
import { trafficBugs } from './planted/traffic-bugs.ts'
import { brokenPromises } from './promises.ts'

const seedsMax = 600

test.each([...sinkBugs, ...machineBugs, ...clusterBugs, ...topologyBugs, ...trafficBugs])(
  'noticed: $bug',
  async ({ alteration, windowMs, plant = () => () => undefined }) => {
    let broken: string[] = []
    const takeOut = plant()

    for (let seed = 1; seed <= seedsMax && broken.length === 0; seed += 1)
      broken = await brokenPromises(
        await liveThrough(seed, { alteration, ...(windowMs && { windowMs }) }),
      )

    takeOut()
    expect(broken).not.toEqual([])
  },
)
