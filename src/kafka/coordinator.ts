import type { Connection } from '@platformatic/kafka'
import { FindCoordinatorKeyTypes, findCoordinatorV6 } from './wire-library.ts'
import type { BrokerConnections } from './broker-connections.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'
import type { BrokerAddress } from './options.ts'

export type CoordinatorKind = 'group' | 'transaction'

/** The broker responsible for one group or transactional id, asked for once and again after `forget`. */
export class Coordinator {
  readonly #metadata: ClusterMetadata
  readonly #connections: BrokerConnections
  readonly #kind: CoordinatorKind
  readonly #key: string
  #address: BrokerAddress | undefined

  constructor(
    metadata: ClusterMetadata,
    connections: BrokerConnections,
    kind: CoordinatorKind,
    key: string,
  ) {
    this.#metadata = metadata
    this.#connections = connections
    this.#kind = kind
    this.#key = key
  }

  async connection(): Promise<Connection> {
    this.#address ??= await this.#find()
    return this.#connections.to(this.#address)
  }

  forget(): void {
    this.#address = undefined
  }

  #find(): Promise<BrokerAddress> {
    const type =
      this.#kind === 'group' ? FindCoordinatorKeyTypes.GROUP : FindCoordinatorKeyTypes.TRANSACTION
    return this.#metadata.ask(async connection => {
      const response = await findCoordinatorV6.api.async(connection, type, [this.#key])
      const { host, port } = response.coordinators[0]!
      return { host, port }
    })
  }
}
