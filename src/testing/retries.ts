import { sleep } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { Network, Reply, Request } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** A process's way to the broker. */
export interface Connection {
  readonly process: SimulatedProcess
  readonly network: Network
  /** When a request without an answer is given up, milliseconds. */
  readonly requestTimeoutMs: number
}

/** Between two tries where nobody is there, milliseconds; drawn, so that tries do not march in step. */
export function pause(connection: Connection, longestMs = 100): Promise<void> {
  const { network, process } = connection
  return sleep(process.clock, network.random.next() * longestMs)
}

/**
 * Repeats a request that may be repeated until it is answered, and throws what the broker refuses. `deadlineMs` is on
 * the process's monotonic clock; after it: BROKER_UNAVAILABLE.
 */
export async function requestUntilAnswered<T>(
  connection: Connection,
  request: Request<T>,
  deadlineMs: number,
): Promise<T> {
  const { network, process } = connection
  for (;;) {
    const reply = await network.send(process, request)
    if (reply.status === 'answered') return reply.value
    if (reply.status === 'refused') throw reply.error
    throwIfLate(connection, request, deadlineMs)
    await pause(connection)
  }
}

/** Throws BROKER_UNAVAILABLE when the time is over. */
export function throwIfLate(
  { process }: Connection,
  { name, target }: Pick<Request<unknown>, 'name' | 'target'>,
  deadlineMs: number,
): void {
  if (process.clock.monotonicMs() < deadlineMs) return
  throw new StreamsError('BROKER_UNAVAILABLE', `nobody answers ${name} for ${target}`)
}

/** For a broker call that decides at once: what it returns, or the StreamsError that it throws, as the answer. */
export function immediately<T>(decide: () => T): Request<T>['execute'] {
  return answer => {
    let reply: Extract<Reply<T>, { status: 'answered' | 'refused' }>
    try {
      reply = { status: 'answered', value: decide() }
    } catch (error) {
      if (!(error instanceof StreamsError)) throw error
      reply = { status: 'refused', error }
    }
    answer(reply)
  }
}

/** What all of them came to; throws what the first of them failed with. */
export function valuesOf<T>(outcomes: readonly PromiseSettledResult<T>[]): T[] {
  return outcomes.map(outcome => {
    if (outcome.status === 'fulfilled') return outcome.value
    throw outcome.reason
  })
}
