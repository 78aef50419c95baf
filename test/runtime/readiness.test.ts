import { expect, test } from 'vitest'
import { silentLogger } from '../../src/log.ts'
import { Streams } from '../../src/runtime/streams.ts'
import { bytesSerde, utf8Serde } from '../../src/serde.ts'
import type { StateDirectory } from '../../src/state/store.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'
import { StreamsError } from '../../src/errors.ts'

const store = { name: 'seen', kind: 'memory', value: bytesSerde, changelogConfigs: {} } as const
const topology = new TopologyBuilder()
  .source('requests', topic('requests', { key: utf8Serde, value: bytesSerde }))
  .process('dedup', {
    from: 'requests',
    stores: [store],
    processor: () => ({ process: () => undefined }),
  })
  .deadLetters('dead')
  .build()

/** Opens nothing more, as if there were no room. */
function withoutRoom(directory: StateDirectory): StateDirectory {
  return {
    remember: (name, make) => directory.remember(name, make),
    expectStores: count => directory.expectStores(count),
    open: () => Promise.reject(new StreamsError('DISK_FULL', 'no room')),
    taskIds: () => directory.taskIds(),
    destroy: (...what) => directory.destroy(...what),
    path: fileName => directory.path(fileName),
    close: () => directory.close(),
    [Symbol.asyncDispose]: () => directory.close(),
  }
}

test.each([
  { rule: 'an instance that runs is ready, once', room: true, ready: 1 },
  { rule: 'an instance that ends before it could run was never ready', room: false, ready: 0 },
])('$rule', async ({ room, ready }) => {
  const simulation = new Simulation({ seed: 1 })
  for (const name of ['requests', 'dead'])
    simulation.broker.createTopic({ name, partitions: 2, configs: {} })
  const process = simulation.startProcess('left')
  const disk = new SimulatedDisk(simulation.network)
  const directory = disk.mount(process)
  const streams = new Streams(
    topology,
    { applicationId: 'app', instanceId: 'left' },
    {
      cluster: simulation.connect(process),
      stateDirectory: room ? directory : withoutRoom(directory),
      journal: disk.openJournal(process),
      clock: process.clock,
      random: simulation.random,
      log: silentLogger,
    },
  )
  let timesReady = 0
  streams.onFirstReady(() => (timesReady += 1))

  const end = streams.run().then(
    () => 'stopped',
    (error: unknown) => (error as StreamsError).code,
  )
  await simulation.run({ withinMs: 5000 })
  const stop = streams.stop()
  await simulation.settle(stop)

  expect(await end).toBe(room ? 'stopped' : 'DISK_FULL')
  expect(timesReady).toBe(ready)
})
