import type { Clock } from '../clock.ts'
import { freePorts } from './free-ports.ts'
import type { ClusterPlace } from './kafka-cluster.ts'
import type { RunningServer, ServerFactory } from './running-server.ts'
import { answersOk, waitUntilReady } from './wait-until-ready.ts'

const heapMb = 256

/** Apicurio Registry with its Confluent-compatible interface. It keeps everything in memory: a restart forgets it. */
export class SchemaRegistry {
  readonly url: string
  readonly #port: number
  readonly #factory: ServerFactory
  readonly #clock: Clock
  #running: RunningServer | undefined

  private constructor(port: number, place: ClusterPlace) {
    this.url = `http://127.0.0.1:${port}/apis/ccompat/v7`
    this.#port = port
    this.#factory = place.factory
    this.#clock = place.clock
  }

  /** Chooses a port; nothing runs yet. */
  static async create(place: ClusterPlace): Promise<SchemaRegistry> {
    const [port = 0] = await freePorts(1, place.random)
    return new SchemaRegistry(port, place)
  }

  /** Returns once it answers. */
  async start(): Promise<void> {
    if (this.#running) return
    const server = await this.#factory.startRegistry({ port: this.#port, heapMb })
    this.#running = server
    await waitUntilReady(
      'the Schema Registry',
      server,
      () => answersOk(`${this.url}/subjects`),
      this.#clock,
    )
  }

  /** Kills it: there is nothing to save. */
  async stop(): Promise<void> {
    const server = this.#running
    this.#running = undefined
    await server?.kill()
  }
}
