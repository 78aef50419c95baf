import { inject } from 'vitest'
import { kafkaClusterContract } from '../contract/kafka-cluster-contract.ts'
import { wireWorld } from './wire-world.ts'

kafkaClusterContract('over the wire', () =>
  Promise.resolve(wireWorld(inject('kafkaBootstrapServers'))),
)
