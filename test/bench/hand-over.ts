import { topicNames } from '../../src/email/topic-names.ts'
import { Arrivals } from './arrivals.ts'
import { type BigStore, openBigStore, pause, until } from './big-store.ts'
import type { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario } from './scenario.ts'
import { Traffic } from './traffic.ts'

const perSecond = 600

/**
 * Two instances that hold each other's standbys, at 600 requests a second: one leaves, its tasks go on at the other; it comes back,
 * and takes its share again once it has caught up. How long the partition that waited longest had nothing in `email.dedup`.
 */
export const handOver: Scenario = {
  name: 'hand-over',
  what: 'tasks move to an instance that holds their standbys: longest time without processing',
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const store = resources.use(await openBigStore(options))
    const stays = resources.use(store.start('stays', flags))
    await stays.ready
    const parts = resources.move()
    return {
      contenders: [{ name: 'mailonce', run: () => once(store, stays) }],
      compared: [],
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  },
}

/** The other one hears of a member that leaves or comes at its next heartbeat, a third of this later at most. */
const flags = ['--standbys=1', '--session-timeout=6s']

async function once(store: BigStore, stays: ProcessorProcess): Promise<Figures> {
  const leaves = store.start('leaves', flags)
  await untilShared(stays, leaves)
  await using arrivals = await Arrivals.of(store.world, topicNames.dedup)
  await using traffic = new Traffic(store.world, { perSecond, next: store.unknown })
  await pause(5000)
  const quietMs = arrivals.takeLongestMs()
  await leaves[Symbol.asyncDispose]()
  await pause(5000)
  const leftMs = arrivals.takeLongestMs()
  await using back = store.start('leaves', flags)
  await untilShared(stays, back)
  await pause(2000)
  const backMs = arrivals.takeLongestMs()
  return {
    secondsWithoutLeaving: leftMs / 1000,
    secondsWithoutComingBack: backMs / 1000,
    secondsWithoutBefore: quietMs / 1000,
    published: traffic.published,
  }
}

/** Each runs some of the tasks, and holds a copy of every other one that is close to it. */
async function untilShared(...instances: readonly ProcessorProcess[]): Promise<void> {
  await Promise.all(instances.map(each => each.ready))
  await until(async () => {
    const shares = await Promise.all(
      instances.map(async each => ({
        running: await each.metric('mailonce_tasks', 'running'),
        standby: await each.metric('mailonce_tasks', 'standby'),
        lag: await each.metric('mailonce_standby_lag_records'),
      })),
    )
    const tasks = shares.reduce((sum, { running }) => sum + running, 0)
    return shares.every(
      ({ running, standby, lag }) =>
        running > tasks / 3 && running + standby === tasks && lag < 5000,
    )
  })
}
