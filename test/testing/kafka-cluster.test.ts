import { Simulation } from '../../src/testing/simulation.ts'
import { kafkaClusterContract } from '../contract/kafka-cluster-contract.ts'

kafkaClusterContract('in memory', () => {
  const simulation = new Simulation({ seed: 1 })
  return Promise.resolve({
    connect: () => simulation.connect(simulation.startProcess('contract')),
    settle: promise => simulation.settle(promise),
    until: async condition => {
      const end = await simulation.run({ until: condition })
      if (end !== 'done') throw new Error(`the condition never held (${end})`)
    },
    close: () => Promise.resolve(),
  })
})
