import { request } from 'node:http'
import { homedir } from 'node:os'
import { join } from 'node:path'

import type { Clock } from '../clock.ts'
import { runTool } from './run-tool.ts'
import { parseJavaVersion } from './server-source.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const engineAnswerMs = 1000

/** Java's major version, or undefined when `java` does not run. */
export async function findJavaVersion(): Promise<number | undefined> {
  const { exitCode, output } = await runTool('java', ['-version'])
  return exitCode === 0 ? parseJavaVersion(output) : undefined
}

export async function findMaven(): Promise<boolean> {
  const { exitCode } = await runTool('mvn', ['--version'])
  return exitCode === 0
}

/**
 * Whether a container engine on this machine answers `/_ping` within a second. A remote one does not count: the
 * brokers are to be reached at 127.0.0.1, which only works in the host's network.
 */
export function findContainerEngine(environment: Environment, clock: Clock): Promise<boolean> {
  const socketPath = engineSocket(environment)
  if (socketPath === undefined || process.platform !== 'linux') return Promise.resolve(false)
  return new Promise(resolve => {
    const ping = request({ socketPath, path: '/_ping' }, response => {
      response.resume()
      finish(response.statusCode === 200)
    })
    const finish = (answers: boolean): void => {
      cancel()
      ping.destroy()
      resolve(answers)
    }
    const cancel = clock.schedule(engineAnswerMs, () => finish(false))
    ping.on('error', () => finish(false))
    ping.end()
  })
}

function engineSocket(environment: Environment): string | undefined {
  const host = environment['DOCKER_HOST']
  if (host === undefined || host === '') return '/var/run/docker.sock'
  return host.startsWith('unix://') ? host.slice('unix://'.length) : undefined
}

/** Where downloads are kept, after the XDG base directory specification. */
export function cacheDirectory(environment: Environment): string {
  const base = environment['XDG_CACHE_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'mailonce')
}
