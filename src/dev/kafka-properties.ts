/** Raw broker properties, exactly as they would stand in `server.properties`. */
export type KafkaProperties = Readonly<Record<string, string>>

/** One node of the embedded cluster; every node is broker and controller (KRaft, KIP-500). */
export interface KafkaNode {
  /** From 1. */
  readonly nodeId: number
  readonly controllerPort: number
  /** The port of each listener by its name; PLAINTEXT is always there. */
  readonly listenerPorts: Readonly<Record<string, number>>
  readonly dataDirectory: string
}

/** The properties of one node: small and quick, but nothing that changes what a client sees. Pure. */
export function kafkaProperties(node: KafkaNode, cluster: readonly KafkaNode[]): KafkaProperties {
  const replicas = String(Math.min(cluster.length, 3))
  const listeners = Object.entries(node.listenerPorts).map(
    ([name, port]) => `${name}://127.0.0.1:${port}`,
  )
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.nodeId),
    'controller.quorum.voters': cluster
      .map(each => `${each.nodeId}@127.0.0.1:${each.controllerPort}`)
      .join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${node.controllerPort}`].join(','),
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': node.dataDirectory,
    // Records may be of any age; topics that forget say so themselves.
    'log.retention.ms': '-1',
    'auto.create.topics.enable': 'false',
    'default.replication.factor': replicas,
    'min.insync.replicas': cluster.length > 2 ? '2' : '1',
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '3',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': cluster.length > 2 ? '2' : '1',
    'transaction.state.log.num.partitions': '3',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // A broker that was killed may only come back once its old session is over: 9 s by default.
    'broker.session.timeout.ms': '4000',
    'broker.heartbeat.interval.ms': '1000',
    // The cleaner's default of 128 MB is a quarter of the whole heap here.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
  }
}

/** The text of a properties file (java.util.Properties). */
export function formatProperties(properties: KafkaProperties): string {
  const lines = Object.entries(properties).map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    return `${name}=${escaped}\n`
  })
  return lines.join('')
}
