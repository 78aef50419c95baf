import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { RelayMode } from './counting-smtp-session.ts'
import type { CountingSmtpStatus } from './counting-smtp-server.ts'
import type { Delivery } from './delivery-journal.ts'
import type { SmtpFaults } from './smtp-faults.ts'

const program = fileURLToPath(new URL('counting-smtp-server.ts', import.meta.url))

/** The counting relay in a process of its own, so that its work is not that of the processor under test. */
export class CountingSmtpProcess implements AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly #child: ChildProcess
  readonly #http: string

  private constructor(child: ChildProcess, ports: { smtp: number; http: number }) {
    this.#child = child
    this.port = ports.smtp
    this.url = `smtp://127.0.0.1:${ports.smtp}`
    this.#http = `http://127.0.0.1:${ports.http}`
  }

  /** With a file, one that is started on it again knows what was taken before. */
  static async start(
    faults: Partial<SmtpFaults> = {},
    seed = 1,
    lasting?: { readonly file: string; readonly port?: number },
  ): Promise<CountingSmtpProcess> {
    const flags = ['--seed', String(seed), '--faults', JSON.stringify(faults)]
    if (lasting) flags.push('--file', lasting.file, '--port', String(lasting.port ?? 0))
    const child = spawn(process.execPath, [program, ...flags], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    return new CountingSmtpProcess(child, JSON.parse(line) as { smtp: number; http: number })
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  async counts(): Promise<CountingSmtpStatus> {
    return (await this.#ask('GET', '/counts')) as CountingSmtpStatus
  }

  /** How many mails it has taken: to be asked often, because `counts` goes through all of them. */
  async accepted(): Promise<number> {
    return (await this.#ask('GET', '/accepted')) as number
  }

  async deliveries(): Promise<readonly Delivery[]> {
    return (await this.#ask('GET', '/deliveries')) as readonly Delivery[]
  }

  async setMode(mode: RelayMode): Promise<void> {
    await this.#ask('POST', '/mode', { mode })
  }

  async setFaults(faults: Partial<SmtpFaults>): Promise<void> {
    await this.#ask('POST', '/faults', faults)
  }

  async clear(): Promise<void> {
    await this.#ask('POST', '/clear', {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.#http}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(await response.text())
    return response.json()
  }
}
