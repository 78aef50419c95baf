import { expect, test } from 'vitest'
import { webhookTraffic } from '../../src/email/webhook-traffic.ts'
import { utf8Serde } from '../../src/serde.ts'
import { EngineWorld } from '../effects/engine-world.ts'

test('a slow host gets so many connections and holds up no other', async () => {
  const world = await EngineWorld.begin(utf8Serde, 10, { traffic: webhookTraffic(2) })
  for (const turn of [1, 2, 3, 4, 5, 6])
    await world.accept({ identity: `slow-${turn}`, targets: ['slow.test'] })
  await world.accept({ identity: 'quick', targets: ['quick.test'] })

  await world.turn()

  expect(world.sink.tries.map(each => each.identity)).toEqual(['slow-1', 'slow-2', 'quick'])
})
