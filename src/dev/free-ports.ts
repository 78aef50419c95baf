import { once } from 'node:events'
import { createServer } from 'node:net'

import { StreamsError } from '../errors.ts'
import type { Random } from '../random.ts'

// Below the range from which systems take the ports of outgoing connections (32768 on Linux): a broker that is down
// for a moment must find its port free when it comes back.
const portMin = 20_000
const portMax = 32_000
const attemptsMax = 1_000

/** `count` different ports of 127.0.0.1 that nobody listens on at this moment. */
export async function freePorts(count: number, random: Random): Promise<number[]> {
  const ports = new Set<number>()
  for (let attempt = 0; ports.size < count; attempt += 1) {
    if (attempt === attemptsMax)
      throw new StreamsError('ENVIRONMENT_FAILED', 'no free ports on 127.0.0.1')
    const port = portMin + Math.floor(random.next() * (portMax - portMin))
    if (!ports.has(port) && (await isFree(port))) ports.add(port)
  }
  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}
