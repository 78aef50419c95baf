import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const launcher = fileURLToPath(new URL('../../bin/mailonce.js', import.meta.url))

/** The real command as a process of its own, whose log lines can be waited for. */
export class MailonceProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #exit: Promise<unknown>
  readonly #lines: string[] = []
  #onLine: () => void = () => undefined
  stderr = ''

  constructor(
    argv: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    input = '',
  ) {
    this.#child = spawn(process.execPath, [launcher, ...argv], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...environment },
    })
    this.#child.stdin?.end(input)
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    const lines = createInterface({ input: this.#child.stdout ?? process.stdin })
    lines.on('line', line => {
      this.#lines.push(line)
      this.#onLine()
    })
    this.#exit = once(this.#child, 'close').then(() => this.#onLine())
  }

  get stdout(): string {
    return this.#lines.join('\n')
  }

  /** The first log line of this event; rejects when the process ends without one. */
  async event(name: string): Promise<Record<string, unknown>> {
    for (;;) {
      const line = this.#lines.find(each => each.includes(`"event":"${name}"`))
      if (line !== undefined) return JSON.parse(line) as Record<string, unknown>
      if (this.#child.exitCode !== null)
        throw new Error(`ended without ${name}: ${this.stdout}\n${this.stderr}`)
      await new Promise<void>(resolve => {
        this.#onLine = resolve
      })
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** The exit code; null when a signal ended it. */
  async exitCode(): Promise<number | null> {
    await this.#exit
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}
