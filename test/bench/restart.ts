import { type BigStore, openBigStore, pause } from './big-store.ts'
import { partitions } from './connect-to.ts'
import { kafkaStreams } from './peers.ts'
import type { Contender, Figures, Scenario } from './scenario.ts'
import { Traffic } from './traffic.ts'

const perSecond = 500

/** kill -9 in the middle of 500 requests a second, and a start on the same disk at once, as a static member. */
export const restart: Scenario = {
  name: 'restart',
  what: 'from kill -9 until every task runs again, with the disk kept',
  open: async options => {
    await using resources = new AsyncDisposableStack()
    const store = resources.use(await openBigStore(options))
    await restored(store)
    const contenders: Contender[] = [{ name: 'mailonce', run: () => ours(store) }]
    if (options.againstPeers) {
      const { kafka, schemaId } = store.world
      const records = Math.round((store.keys * 10) / 9)
      const where = { topic: 'peer-in', partitions, records, 'schema-id': schemaId }
      await kafkaStreams('load', kafka, where)
      contenders.push({ name: 'kafka-streams', run: () => theirs(store) })
    }
    const parts = resources.move()
    const compared = ['secondsToRunning']
    return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  },
}

const flags = ['--static-membership', '--instance-id=bench']

/** The disk has everything. */
async function restored(store: BigStore): Promise<void> {
  await using instance = store.start('disk', flags)
  await instance.ready
}

async function ours(store: BigStore): Promise<Figures> {
  await using first = store.start('disk', flags)
  await first.ready
  await using traffic = new Traffic(store.world, { perSecond, next: store.unknown })
  await pause(5000)
  const killedMs = Date.now()
  await first.kill()
  await using second = store.start('disk', flags)
  await second.ready
  const runningMs = second.loggedAtMs('running')
  const tailRecords = await second.metric('mailonce_restored_records_total')
  return {
    secondsToRunning: (runningMs - killedMs) / 1000,
    secondsToAssigned: (second.loggedAtMs('assigned') - killedMs) / 1000,
    tailRecords,
    published: traffic.published,
  }
}

let peers = 0

/** The peer's own way: everything once through, then kill -9, then a start as the same static member. */
async function theirs({ world }: BigStore): Promise<Figures> {
  peers += 1
  const flagsOfPeer = {
    in: 'peer-in',
    'application-id': `peer-${peers}`,
    out: `peer-out-${peers}`,
    'state-dir': `${world.directory}/peer-${peers}`,
    'schema-id': world.schemaId,
    set: 'group.instance.id=bench',
  }
  const { killedAt } = await kafkaStreams('kill', world.kafka, flagsOfPeer)
  const { runningAt } = await kafkaStreams('restore', world.kafka, flagsOfPeer)
  return { secondsToRunning: (runningAt! - killedAt!) / 1000 }
}
