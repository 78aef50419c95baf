import { openBigStore, pause, type BigStore } from './big-store.ts'
import { Samples } from './samples.ts'
import type { Figures, Scenario } from './scenario.ts'
import { Traffic } from './traffic.ts'

const perSecond = 1000
const minutesByDefault = 10

/**
 * Ten minutes at 1,000 requests a second, half of them known, one in twenty a new mail, the others new and INVALID, so that the store is what is
 * measured and not the relay; everything at its defaults. Resident memory once a second.
 */
export const soak: Scenario = {
  name: 'soak',
  what: 'resident memory with many known requests',
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const store = resources.use(await openBigStore(options))
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
  await using instance = store.start('soaked')
  await instance.ready
  const restoredMb = instance.memory().maxRssMb
  const memory = new Samples()
  await using traffic = new Traffic(store.world, {
    perSecond,
    next: () => (Math.random() < 0.5 ? store.unknown() : Math.floor(Math.random() * store.keys)),
    isInvalid: number => number >= store.keys && number % 10 > 0,
  })
  const endMs = performance.now() + minutes * 60_000
  while (performance.now() < endMs) {
    await pause(1000)
    memory.add(instance.memory().rssMb)
  }
  return {
    keys: store.keys,
    published: traffic.published,
    openRequests: await instance.metric('mailonce_open_requests', 'send'),
    restoredMaxRssMb: restoredMb,
    firstFifthRssMb: memory.median(0, 0.2),
    lastFifthRssMb: memory.median(0.8, 1),
    growthMbPerMinute: memory.growthPerMinute(0.2),
    maxRssMb: instance.memory().maxRssMb,
  }
}
