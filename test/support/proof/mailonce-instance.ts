import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const launcher = fileURLToPath(new URL('../../../bin/mailonce.js', import.meta.url))
const linesMax = 4000

/** One line of an instance's log. */
export type LogLine = Readonly<Record<string, unknown>>

/** One `mailonce run` as a process of its own, to be killed, frozen and stopped. */
export class MailonceInstance implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exit: Promise<void>
  readonly log: LogLine[] = []
  #stderr = ''
  #mayFail = false

  constructor(argv: readonly string[], program = launcher) {
    this.#child = spawn(process.execPath, [program, 'run', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    })
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      this.log.push(JSON.parse(line) as LogLine)
      if (this.log.length > linesMax) this.log.shift()
    })
    this.#exit = once(this.#child, 'close').then(() => undefined)
  }

  /** Whether it has logged this event; throws when it has failed instead. */
  hasLogged(event: string): boolean {
    if (this.log.some(line => line['event'] === event)) return true
    this.mustLive()
    return false
  }

  /** Throws when it has failed: neither a signal nor a stop that was asked for does that. */
  mustLive(): void {
    const { exitCode } = this.#child
    if (exitCode === null || exitCode === 0 || this.#mayFail) return
    throw new Error(`an instance failed with exit code ${exitCode}: ${this.#stderr}`)
  }

  /** The last lines that tell of what went wrong or of partitions that came and went. */
  lastNews(): readonly LogLine[] {
    return this.log
      .filter(line => Number(line['level']) >= 40 || line['event'] === 'assigned')
      .slice(-5)
  }

  /** How often it has logged this event. */
  count(event: string): number {
    return this.log.filter(line => line['event'] === event).length
  }

  /** The status of one of its own HTTP addresses. */
  async status(path: '/healthz' | '/readyz'): Promise<number> {
    return (await this.get(path)).status
  }

  /** What it answers over HTTP; status 0 before it serves. */
  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const line = this.log.find(each => each['event'] === 'http')
    if (line === undefined) return { status: 0, text: '' }
    const response = await fetch(`http://${String(line['address'])}${path}`, { redirect: 'manual' })
    return { status: response.status, text: await response.text() }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  /** Until it ends by itself: its exit code, and what it said last. */
  async ended(): Promise<{ readonly exitCode: number | null; readonly stderr: string }> {
    this.#mayFail = true
    await this.#exit
    return { exitCode: this.#child.exitCode, stderr: this.#stderr }
  }

  /** SIGTERM; the exit code, null when something else ended it. */
  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    await this.#exit
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
