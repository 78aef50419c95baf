import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { kafkaClusterContract } from '../contract/kafka-cluster-contract.ts'
import { wireWorld } from './wire-world.ts'

kafkaClusterContract('over the wire, first version of transactions', async () => {
  const environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: { formatArguments: ['--feature', 'transaction.version=1'] },
  })
  return wireWorld(environment.kafka.bootstrapServers(), {}, () =>
    environment[Symbol.asyncDispose](),
  )
})
