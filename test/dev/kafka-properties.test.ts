import { describe, expect, test } from 'vitest'

import {
  formatProperties,
  kafkaProperties,
  type KafkaNode,
} from '../../src/dev/kafka-properties.ts'

const nodes: readonly KafkaNode[] = [1, 2, 3].map(nodeId => ({
  nodeId,
  controllerPort: 100 + nodeId,
  listenerPorts: { PLAINTEXT: 200 + nodeId, SASL_SSL: 300 + nodeId },
  dataDirectory: `/data/${nodeId}`,
}))
const [first] = nodes as [KafkaNode]

describe('replication follows the number of brokers', () => {
  test.each([
    { cluster: [first], replicas: '1', inSync: '1' },
    { cluster: nodes, replicas: '3', inSync: '2' },
  ])('$replicas', ({ cluster, replicas, inSync }) => {
    expect(kafkaProperties(first, cluster)).toMatchObject({
      'default.replication.factor': replicas,
      'offsets.topic.replication.factor': replicas,
      'transaction.state.log.replication.factor': replicas,
      'transaction.state.log.min.isr': inSync,
    })
  })
})

test('a node listens on its own ports and votes with every node', () => {
  expect(kafkaProperties(first, nodes)).toMatchObject({
    listeners: 'PLAINTEXT://127.0.0.1:201,SASL_SSL://127.0.0.1:301,CONTROLLER://127.0.0.1:101',
    'controller.quorum.voters': '1@127.0.0.1:101,2@127.0.0.1:102,3@127.0.0.1:103',
  })
})

test('a backslash and a line break survive in a properties file', () => {
  expect(formatProperties({ 'ssl.key': 'a\\b\nc', other: 'd' })).toBe(
    'ssl.key=a\\\\b\\nc\nother=d\n',
  )
})
