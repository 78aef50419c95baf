import { connect, createServer, type Server, type Socket } from 'node:net'
import { sleep, systemClock } from '../../src/clock.ts'
import type { Random } from '../../src/random.ts'
import {
  type Api,
  apiKeys,
  type BrokerError,
  errorAnswer,
  type RefusableApi,
} from './error-answers.ts'
import { type Fault, FaultPlan, type FaultRates, type Loss } from './fault-plan.ts'

const apis = new Map<number, Api>(Object.entries(apiKeys).map(([api, key]) => [key, api as Api]))

/**
 * Stands between the clients and one broker and meddles with chosen messages. It knows of the protocol only where a message
 * begins, what it asks for, which answer belongs to it, and how an error is answered.
 */
export class FaultProxy {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #plan = new FaultPlan()
  readonly #late: Buffer[] = []
  readonly #asked = new Map<Api, number>()
  #brokerPort = 0

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

  /** How many messages were lost so far. */
  get lost(): number {
    return this.met('request') + this.met('answer') + this.met('late')
  }

  /** How often a fault of this kind was met so far. */
  met(kind: Fault['kind']): number {
    return this.#plan.met.get(kind) ?? 0
  }

  /** How many requests of this kind have come from clients so far. */
  asked(api: Api): number {
    return this.#asked.get(api) ?? 0
  }

  forwardTo(brokerPort: number): void {
    this.#brokerPort = brokerPort
  }

  /** The next messages of this kind, or those behind the first `after`, are lost, and the connection with them. */
  lose(api: Api, kind: Loss | 'late', times = 1, after = 0): void {
    this.#plan.add(api, { kind }, times, after)
  }

  /** They are answered with an error: `refused`, the broker never hears of them; `disowned`, it has done what they ask. */
  answer(
    api: RefusableApi,
    kind: 'refused' | 'disowned',
    error: BrokerError,
    times = 1,
    after = 0,
  ): void {
    this.#plan.add(api, { kind, error }, times, after)
  }

  /** Their answers come so many milliseconds later. */
  slow(api: Api, ms: number, times = 1, after = 0): void {
    this.#plan.add(api, { kind: 'slow', ms }, times, after)
  }

  /** From now on faults happen by chance, drawn message by message. */
  byChance(random: Random, rates: FaultRates): void {
    this.#plan.byChance(random, rates)
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
    this.#plan.clear()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
    })
  }

  #accept(client: Socket): void {
    const broker = connect(this.#brokerPort, '127.0.0.1')
    const faults = new Map<number, { readonly fault: Fault; readonly request: Buffer }>()
    let answers = Promise.resolve()
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
    const pass = async (answer: Buffer, before: Promise<void>): Promise<void> => {
      const met = faults.get(answer.readInt32BE(4))
      faults.delete(answer.readInt32BE(4))
      await before
      if (met?.fault.kind === 'slow') await sleep(systemClock, met.fault.ms)
      if (met?.fault.kind === 'answer') hangUp()
      else if (met?.fault.kind === 'disowned') client.write(madeUp(met.fault.error, met.request))
      else if (!client.destroyed) client.write(answer)
    }
    onFrames(client, request => {
      if (isFromBroker(request)) return void broker.write(request)
      const api = apis.get(request.readInt16BE(4))
      if (api) this.#asked.set(api, this.asked(api) + 1)
      const fault = this.#plan.take(request.readInt16BE(4))
      if (fault?.kind === 'late') this.#late.push(request)
      if (fault?.kind === 'late' || fault?.kind === 'request') return hangUp()
      if (fault?.kind === 'refused') return void client.write(madeUp(fault.error, request))
      if (fault) faults.set(request.readInt32BE(8), { fault, request })
      broker.write(request)
    })
    onFrames(broker, answer => {
      // One after the other: a broker never answers out of order.
      answers = pass(answer, answers)
    })
  }
}

/** The broker asks its own coordinator through the listener that it advertises, in versions that are for brokers alone (KIP-890). */
function isFromBroker(request: Buffer): boolean {
  return request.readInt16BE(4) === apiKeys.addPartitionsToTxn && request.readInt16BE(6) > 3
}

function madeUp(error: BrokerError, request: Buffer): Buffer {
  return errorAnswer(apis.get(request.readInt16BE(4)) as RefusableApi, request, error)
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
