import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Beside the checkout. They are no part of it. */
const directory =
  process.env['MAILONCE_PEERS'] ?? fileURLToPath(new URL('../../../shared/peers', import.meta.url))
const program = join(directory, 'kafka-streams.sh')

/** A clear word for whoever asked for them; undefined when they are there. */
export function whyNoPeers(): string | undefined {
  return existsSync(program) ? undefined : `there is no ${program}; set MAILONCE_PEERS`
}

/** The sink and the limit of the SMTP side. */
/** The schema with which the peer writes requests: an earlier version of ours. Undefined without the peers. */
export function peerSchemaText(): string | undefined {
  const path = join(directory, 'kafka-streams/src/main/resources/EmailRequested.avsc')
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

export function smtpPeer(name: 'sink.mjs' | 'limit.mjs'): string {
  return join(directory, 'smtp', name)
}

/** Runs one command of the Kafka Streams peer; its line of JSON. */
export async function kafkaStreams(
  command: 'load' | 'dedup' | 'count' | 'probe' | 'latency' | 'restore' | 'kill',
  kafka: string,
  flags: Readonly<Record<string, string | number>>,
): Promise<Readonly<Record<string, number>>> {
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
  // One that kills itself ends as killed, after its line.
  const { stdout } = await run(program, [command, '--bootstrap', kafka, ...args]).catch(
    (error: Error & { readonly stdout?: string }) => {
      if (command === 'kill' && error.stdout) return { stdout: error.stdout }
      throw error
    },
  )
  return JSON.parse(stdout.split('\n')[0]!) as Record<string, number>
}
