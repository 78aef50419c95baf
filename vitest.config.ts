import { defineConfig } from 'vitest/config'

// Three lanes, as `npm test` runs them side by side, each with a broker of its own: Kafka with its clients, one deployment and all that it
// does, and instances that come, go and die. Each has as much as makes all three take as long.
const kafka = [
  'test/kafka/**/*.test.ts',
  'test/dev/**/*.broker.test.ts',
  'test/docs/subscribing.broker.test.ts',
]
const instances = ['test/broker/{at-least-once,kill-proof,membership,standbys,threads}.test.ts']
const broker = ['test/broker/**/*.test.ts', 'test/**/*.broker.test.ts']
const contract = ['test/contract/**/*.test.ts']
const simulation = ['test/simulation/**/*.test.ts']

/** Files one after the other, on a broker and a registry that they share. */
const servers = (groupOrder: number) => ({
  globalSetup: 'test/dev/broker-setup.ts',
  fileParallelism: false,
  testTimeout: 180_000,
  hookTimeout: 180_000,
  sequence: { groupOrder },
})

// The groups run one after the other: real servers share two small processors with their tests badly enough.
// They count from 1 because vitest moves a group 0 with a single worker, all there is on two processors, to the end.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...broker, ...kafka, ...contract, ...simulation],
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'contract', include: contract, sequence: { groupOrder: 1 } } },
      {
        test: {
          name: 'simulation',
          include: simulation,
          testTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: { name: 'broker', include: broker, exclude: [...kafka, ...instances], ...servers(3) },
      },
      { test: { name: 'kafka', include: kafka, ...servers(4) } },
      { test: { name: 'instances', include: instances, ...servers(5) } },
    ],
  },
})
