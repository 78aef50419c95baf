import { defineConfig } from 'vitest/config'

const needsServers = [
  'test/broker/**/*.test.ts',
  'test/kafka/**/*.test.ts',
  'test/**/*.broker.test.ts',
]
const contract = ['test/contract/**/*.test.ts']
const simulation = ['test/simulation/**/*.test.ts']

// The groups run one after the other: real servers share two small processors with their tests badly enough.
// They count from 1 because vitest moves a group 0 with a single worker, all there is on two processors, to the end.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...needsServers, ...contract, ...simulation],
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
        test: {
          name: 'broker',
          include: needsServers,
          globalSetup: 'test/dev/broker-setup.ts',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
