import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { Random } from '../random.ts'
import { freePorts } from './free-ports.ts'
import {
  formatProperties,
  kafkaProperties,
  type KafkaNode,
  type KafkaProperties,
} from './kafka-properties.ts'
import type { RunningServer, ServerFactory } from './running-server.ts'
import { acceptsConnections, waitUntilReady } from './wait-until-ready.ts'

/** What differs from one cluster to the next. */
export interface KafkaClusterOptions {
  /** 1 or 3; replication factors follow. @default 1 */
  readonly brokers?: number
  /** More listeners than PLAINTEXT, by security protocol; their keys and mechanisms go into `properties`. @default [] */
  readonly listeners?: readonly ('SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL')[]
  /** Raw properties that are added to, or replace, ours; asked once for each node id (from 1). */
  readonly properties?: (nodeId: number) => KafkaProperties
  /** For example `['--feature', 'transaction.version=1']` or `['--add-scram', 'SCRAM-SHA-512=[name=…,password=…]']`. */
  readonly formatArguments?: readonly string[]
  /** Of one broker. @default 512 */
  readonly heapMb?: number
  /**
   * What its Java machine is tuned for: to be up soon, for half of the processor time, or to carry the most in the long run.
   * Containers are always tuned as their image is. @default 'start'
   */
  readonly tunedFor?: 'start' | 'load'
}

/** A fixed id: clusters live in directories of their own and never meet. */
const clusterId = 'bWFpbG9uY2UtZGV2LWVudg'

/** A real Kafka cluster on 127.0.0.1 whose brokers can be stopped, killed and started again one by one. */
export class KafkaCluster {
  /** Node ids, from 1. */
  readonly nodeIds: readonly number[]
  readonly #nodes: readonly KafkaNode[]
  readonly #running = new Map<number, RunningServer>()
  readonly #factory: ServerFactory
  readonly #directory: string
  readonly #clock: Clock
  readonly #options: KafkaClusterOptions

  private constructor(
    nodes: readonly KafkaNode[],
    place: ClusterPlace,
    options: KafkaClusterOptions,
  ) {
    this.#nodes = nodes
    this.nodeIds = Object.freeze(nodes.map(node => node.nodeId))
    this.#factory = place.factory
    this.#directory = place.directory
    this.#clock = place.clock
    this.#options = options
  }

  /** Chooses ports and writes the configuration; nothing runs yet. */
  static async create(
    place: ClusterPlace,
    options: KafkaClusterOptions = {},
  ): Promise<KafkaCluster> {
    const listeners = ['PLAINTEXT', ...(options.listeners ?? [])]
    const count = options.brokers ?? 1
    const ports = await freePorts(count * (listeners.length + 1), place.random)
    const takePort = (): number => ports.pop() ?? 0
    const nodes = Array.from({ length: count }, (_, index) => ({
      nodeId: index + 1,
      controllerPort: takePort(),
      listenerPorts: Object.fromEntries(listeners.map(name => [name, takePort()])),
      dataDirectory: join(place.directory, `kafka-${index + 1}`),
    }))
    return new KafkaCluster(nodes, place, options)
  }

  /** `host:port,…` of every broker, also of those that are down at the moment. */
  bootstrapServers(listener = 'PLAINTEXT'): string {
    return this.#nodes.map(node => `127.0.0.1:${portOf(node, listener)}`).join(',')
  }

  /** Starts every broker and returns once all of them accept connections. */
  async start(): Promise<void> {
    await Promise.all(this.nodeIds.map(nodeId => this.startBroker(nodeId)))
  }

  /** Starts one broker on its old port with its old data. A broker that runs stays as it is. */
  async startBroker(nodeId: number): Promise<void> {
    if (this.#running.has(nodeId)) return
    const node = this.#node(nodeId)
    const name = `kafka-${nodeId}`
    await mkdir(node.dataDirectory, { recursive: true })
    const propertiesFile = join(this.#directory, `${name}.properties`)
    const properties = {
      ...kafkaProperties(node, this.#nodes),
      ...this.#options.properties?.(nodeId),
    }
    await writeFile(propertiesFile, formatProperties(properties))
    const server = await this.#factory.startBroker({
      name,
      propertiesFile,
      clusterId,
      dataDirectory: node.dataDirectory,
      formatArguments: this.#options.formatArguments ?? [],
      heapMb: this.#options.heapMb ?? 512,
      tunedFor: this.#options.tunedFor ?? 'start',
    })
    this.#running.set(nodeId, server)
    // A broker opens its listeners one after the other.
    for (const port of Object.values(node.listenerPorts))
      await waitUntilReady(name, server, () => acceptsConnections(port, this.#clock), this.#clock)
  }

  /** A controlled shutdown: leadership moves first, where there is another broker to take it. */
  async stopBroker(nodeId: number): Promise<void> {
    await this.#take(nodeId)?.stop()
  }

  /** SIGKILL. */
  async killBroker(nodeId: number): Promise<void> {
    await this.#take(nodeId)?.kill()
  }

  async restartBroker(nodeId: number): Promise<void> {
    await this.stopBroker(nodeId)
    await this.startBroker(nodeId)
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodeIds.map(nodeId => this.stopBroker(nodeId)))
  }

  /** Kills every broker: nobody will read this cluster's data again. */
  async discard(): Promise<void> {
    await Promise.all(this.nodeIds.map(nodeId => this.killBroker(nodeId)))
  }

  #node(nodeId: number): KafkaNode {
    const node = this.#nodes[nodeId - 1]
    if (node === undefined)
      throw new StreamsError('INTERNAL', `no broker ${nodeId} in this cluster`)
    return node
  }

  #take(nodeId: number): RunningServer | undefined {
    const server = this.#running.get(this.#node(nodeId).nodeId)
    this.#running.delete(nodeId)
    return server
  }
}

/** Where a cluster lives and by whom its brokers are started. */
export interface ClusterPlace {
  readonly factory: ServerFactory
  readonly directory: string
  readonly clock: Clock
  readonly random: Random
}

function portOf(node: KafkaNode, listener: string): number {
  const port = node.listenerPorts[listener]
  if (port === undefined)
    throw new StreamsError('INTERNAL', `the cluster has no listener ${listener}`)
  return port
}
