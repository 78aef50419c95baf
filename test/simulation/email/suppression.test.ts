import { expect, test } from 'vitest'
import { topicNames } from '../../../src/email/topic-names.ts'
import { partitionKey } from '../../../src/runtime/ports.ts'
import type { Alteration } from './alterations.ts'
import { liveThrough } from './chaos.ts'
import { changed } from './planted/changed.ts'
import { changedCluster } from './planted/changed-cluster.ts'
import { brokenPromises } from './promises.ts'
import { requestHistories } from './request-histories.ts'
import { Suppressor } from './suppressor.ts'

const seeds = Array.from({ length: 100 }, (_, index) => index + 1)

test('who was suppressed, and known to be, before a mail was asked for never gets it, whatever breaks', async () => {
  const failures: string[] = []
  let known = 0
  let refused = 0
  for (const seed of seeds) {
    const suppressor = new Suppressor(seed)
    const world = await liveThrough(seed, { atStep: suppressor.act })
    const histories = requestHistories(world)
    known += suppressor.known
    refused += histories.filter(each =>
      each.ends.some(end => end.recipients.some(({ reply }) => reply.startsWith('550 5.7.1'))),
    ).length
    const broken = [...(await brokenPromises(world)), ...suppressor.broken(histories, world)]
    failures.push(...broken.map(each => `seed ${seed}: ${each}`))
  }

  expect(failures).toEqual([])
  expect(known).toBeGreaterThan(20)
  expect(refused).toBeGreaterThan(20)
})

/** Nobody waits for the list: its end seems to be its beginning. */
const asksTooEarly: Alteration = {
  parts: parts => ({
    ...parts,
    cluster: changedCluster(parts.cluster, {
      admin: admin =>
        changed(admin, {
          endOffsets: async places => {
            const ends = await admin.endOffsets(places)
            const isList = places.every(({ topic }) => topic === topicNames.suppressed)
            return isList ? new Map(places.map(at => [partitionKey(at), 0])) : ends
          },
        }),
    }),
  }),
}

test.each([{ bug: 'tasks run before the list has been read', alteration: asksTooEarly }])(
  'noticed: $bug',
  async ({ alteration }) => {
    let broken: string[] = []

    for (let seed = 1; seed <= 400 && broken.length === 0; seed += 1) {
      const suppressor = new Suppressor(seed)
      const world = await liveThrough(seed, { alteration, atStep: suppressor.act })
      broken = suppressor.broken(requestHistories(world), world)
    }

    expect(broken).not.toEqual([])
  },
)
