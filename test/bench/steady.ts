import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { topicNames } from '../../src/email/topic-names.ts'
import { Arrivals } from './arrivals.ts'
import { openBigStore, pause, type BigStore } from './big-store.ts'
import { Samples } from './samples.ts'
import type { Figures, Scenario } from './scenario.ts'
import { Traffic } from './traffic.ts'

const perSecond = 500
const minutesByDefault = 60
/** So short that most of the time lies behind it. */
const window = '5m'
const outcomesKept = '5m'
/** Of the hour: the window has passed, so has what outcomes are kept beyond it, and the sweep has been round once since. */
const settled = 0.35

/** An hour of 500 mails a second: memory, latency and disk early, when the first mails have been forgotten, and late. */
export const steady: Scenario = {
  name: 'steady',
  what: `an hour at ${perSecond} mails/s (--minutes)`,
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const store = resources.use(await openBigStore(options, false))
    const { minutes = minutesByDefault } = options
    const parts = resources.move()
    return {
      contenders: [{ name: 'mailonce', run: () => once(store, minutes) }],
      compared: [],
      [Symbol.asyncDispose]: () => parts.disposeAsync(),
    }
  },
}

async function once(store: BigStore, minutes: number): Promise<Figures> {
  await using instance = store.start('steady', [
    `--dedup-window=${window}`,
    `--outcomes-kept=${outcomesKept}`,
  ])
  await instance.ready
  const [memory, latency, disk] = [new Samples(), new Samples(), new Samples()]
  const { sent } = store.world.serdes
  await using arrivals = await Arrivals.of(store.world, topicNames.sent, ({ value }) => {
    const { requestedAt, sentAt } = sent.deserialize(value!)
    latency.add(sentAt - requestedAt)
  })
  await using traffic = new Traffic(store.world, { perSecond, next: store.unknown })
  const endMs = performance.now() + minutes * 60_000
  while (performance.now() < endMs) {
    await pause(5000)
    memory.add(instance.memory().rssMb)
    disk.add(await megabytesOf(`${store.world.directory}/steady`))
  }
  return {
    published: traffic.published,
    longestWithoutMs: arrivals.takeLongestMs(),
    maxRssMb: instance.memory().maxRssMb,
    rssMbEarly: memory.median(settled, 0.55),
    rssMbLate: memory.median(0.85, 1),
    rssMbPerMinute: memory.growthPerMinute(settled),
    p50MsEarly: latency.percentile(0.5, settled, 0.55),
    p50MsLate: latency.percentile(0.5, 0.85, 1),
    p99MsEarly: latency.percentile(0.99, settled, 0.55),
    p99MsLate: latency.percentile(0.99, 0.85, 1),
    diskMbEarly: disk.median(settled, 0.55),
    diskMbLate: disk.median(0.85, 1),
    diskMbPerMinute: disk.growthPerMinute(settled),
  }
}

async function megabytesOf(directory: string): Promise<number> {
  // Files come and go while they are counted.
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    `du -sk '${directory}' 2>/dev/null || true`,
  ])
  return Number(stdout.split('\t')[0]) / 1024
}
