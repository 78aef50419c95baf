import { connect } from 'node:net'

import { sleep, type Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { RunningServer } from './running-server.ts'

const pollMs = 50
const probeMs = 1_000
const readyMs = 90_000

/**
 * Waits until the probe says yes. A server that ends before, or takes longer than 90 s, is an ENVIRONMENT_FAILED with
 * the last lines it wrote.
 */
export async function waitUntilReady(
  name: string,
  server: RunningServer,
  probe: () => Promise<boolean>,
  clock: Clock,
): Promise<void> {
  const deadlineMs = clock.monotonicMs() + readyMs
  let ended: string | undefined
  void server.ended.then(reason => (ended = reason))
  while (!(await probe())) {
    await sleep(clock, pollMs)
    if (ended === undefined && clock.monotonicMs() < deadlineMs) continue
    const why = ended === undefined ? `is not ready after ${readyMs / 1000} s` : `ended (${ended})`
    throw new StreamsError('ENVIRONMENT_FAILED', `${name} ${why}:\n${await server.lastLines()}`)
  }
}

/** Whether somebody accepts connections there. A broker does so only once it is part of its cluster. */
export function acceptsConnections(port: number, clock: Clock): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const finish = (accepted: boolean): void => {
      cancel()
      socket.destroy()
      resolve(accepted)
    }
    const cancel = clock.schedule(probeMs, () => finish(false))
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}

/** Whether a GET is answered with a 2xx. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeMs) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
