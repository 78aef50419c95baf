import { connect, createServer, type Server, type Socket } from 'node:net'

/** Numbers of requests (Kafka protocol guide, API keys). */
export const apiKeys = Object.freeze({
  produce: 0,
  fetch: 1,
  joinGroup: 11,
  heartbeat: 12,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  endTxn: 26,
  txnOffsetCommit: 28,
})

/** `request`: it never reaches the broker. `answer`: the broker has done it, and nobody learns of it. */
export type Fault = 'request' | 'answer'

/** `late`: the request is kept, and reaches the broker when the test says so. */
type AnyFault = Fault | 'late'

/**
 * Stands between the clients and one broker and breaks connections at chosen messages. It knows of the protocol only
 * where a message begins, what it asks for, and which answer belongs to it.
 */
export class FaultProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #faults: { readonly apiKey: number; readonly fault: AnyFault; times: number }[] = []
  readonly #late: Buffer[] = []
  #brokerPort = 0
  /** How many messages were lost so far. */
  lost = 0

  private constructor() {
    this.#server = createServer(client => this.#accept(client))
  }

  static async start(): Promise<FaultProxy> {
    const proxy = new FaultProxy()
    await new Promise<void>(resolve => {
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  forwardTo(brokerPort: number): void {
    this.#brokerPort = brokerPort
  }

  /** The next messages of this kind are lost, and the connection with them. */
  lose(api: keyof typeof apiKeys, fault: AnyFault, times = 1): void {
    this.#faults.push({ apiKey: apiKeys[api], fault, times })
  }

  /** What was kept arrives now; resolves once the broker has answered all of it. */
  async deliverLate(): Promise<number> {
    const frames = this.#late.splice(0)
    for (const frame of frames) {
      const broker = connect(this.#brokerPort, '127.0.0.1')
      const answered = new Promise<void>((resolve, reject) => {
        broker.on('error', reject)
        onFrames(broker, () => resolve())
      })
      broker.write(frame)
      await answered
      broker.destroy()
    }
    return frames.length
  }

  heal(): void {
    this.#faults.length = 0
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
    })
  }

  #accept(client: Socket): void {
    const broker = connect(this.#brokerPort, '127.0.0.1')
    const asked = new Map<number, number>()
    const hangUp = (): void => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', hangUp)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        hangUp()
      })
    }
    onFrames(client, frame => {
      const apiKey = frame.readInt16BE(4)
      asked.set(frame.readInt32BE(8), apiKey)
      const late = this.#takeFault(apiKey, 'late')
      if (late) this.#late.push(frame)
      if (late || this.#takeFault(apiKey, 'request')) hangUp()
      else broker.write(frame)
    })
    onFrames(broker, frame => {
      const apiKey = asked.get(frame.readInt32BE(4)) ?? -1
      asked.delete(frame.readInt32BE(4))
      if (this.#takeFault(apiKey, 'answer')) hangUp()
      else client.write(frame)
    })
  }

  #takeFault(apiKey: number, fault: AnyFault): boolean {
    const found = this.#faults.find(
      each => each.apiKey === apiKey && each.fault === fault && each.times > 0,
    )
    if (found === undefined) return false
    found.times -= 1
    this.lost += 1
    return true
  }
}

/** Whole messages: a length of four bytes, then as many. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', chunk => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      const frame = rest.subarray(0, end)
      rest = rest.subarray(end)
      if (!socket.destroyed) take(frame)
    }
  })
}
