import { expect, test } from 'vitest'
import type { Logger } from '../../src/log.ts'
import { Streams } from '../../src/runtime/streams.ts'
import { bytesSerde, utf8Serde } from '../../src/serde.ts'
import { SimulatedDisk } from '../../src/testing/simulated-disk.ts'
import { Simulation } from '../../src/testing/simulation.ts'
import { TopologyBuilder } from '../../src/topology/builder.ts'
import { topic } from '../../src/topology/topic.ts'

const seen = { name: 'seen', kind: 'memory', value: bytesSerde, changelogConfigs: {} } as const
const topology = new TopologyBuilder()
  .source('requests', topic('requests', { key: utf8Serde, value: bytesSerde }))
  .process('remember', {
    from: 'requests',
    stores: [seen],
    prefetch: ({ key }) => [{ store: seen, key: String(key) }],
    processor: () => ({
      process: ({ key, value }, context) => context.store(seen).put(String(key), value as Buffer),
    }),
  })
  .deadLetters('dead')
  .build()

const sessionTimeoutMs = 90_000

/** Two instances of a group whose members hear of a rebalance every thirty seconds. */
class TwoInstances {
  readonly #simulation = new Simulation({ seed: 1 })
  readonly #assignments: {
    readonly name: string
    readonly atMs: number
    readonly tasks: number
  }[] = []

  constructor() {
    for (const name of ['requests', 'dead'])
      this.#simulation.broker.createTopic({ name, partitions: 2, configs: {} })
  }

  publish(count: number): void {
    const records = Array.from({ length: count }, (_, index) => ({
      topic: 'requests',
      partition: index % 2,
      key: Buffer.from(`r-${index}`),
      value: Buffer.from('x'),
      headers: [],
      timestampMs: this.#simulation.clock.nowMs(),
    }))
    this.#simulation.broker.append(records)
  }

  start(name: string): void {
    const { network, clock, random } = this.#simulation
    const process = this.#simulation.startProcess(name)
    const disk = new SimulatedDisk(network)
    const note = (fields: Readonly<Record<string, unknown>>): void => {
      const { event, tasks } = fields as { event?: string; tasks?: readonly string[] }
      if (event === 'assigned')
        this.#assignments.push({ name, atMs: clock.monotonicMs(), tasks: tasks!.length })
    }
    const log: Logger = { debug: note, info: note, warn: note, error: note }
    const streams = new Streams(
      topology,
      { applicationId: 'app', instanceId: name, sessionTimeoutMs, acceptableLag: 10 },
      {
        cluster: this.#simulation.connect(process),
        stateDirectory: disk.mount(process),
        journal: disk.openJournal(process),
        clock: process.clock,
        random,
        log,
      },
    )
    void streams.run()
  }

  pass(withinMs: number): Promise<unknown> {
    return this.#simulation.run({ withinMs })
  }

  /** When it was assigned so many tasks for the first time. */
  assignedAtMs(name: string, tasks: number): number | undefined {
    return this.#assignments.find(each => each.name === name && each.tasks === tasks)?.atMs
  }
}

test('a member that has warmed up is not kept waiting for a heartbeat of the others', async () => {
  const group = new TwoInstances()
  group.publish(100)
  group.start('has it')
  await group.pass(30_000)

  group.start('comes')
  await group.pass(200_000)

  const warmingMs = group.assignedAtMs('comes', 0)!
  const runningMs = group.assignedAtMs('comes', 1)!
  expect(group.assignedAtMs('has it', 2)).toBeDefined()
  expect(runningMs - warmingMs).toBeLessThan(sessionTimeoutMs / 3 / 5)
})
