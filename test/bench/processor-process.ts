import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fewArenas } from './few-arenas.ts'

const launcher = fileURLToPath(new URL('../../bin/mailonce.js', import.meta.url))

/** `mailonce run` as a process, and the processor time it has used. */
export class ProcessorProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly ready: Promise<void>
  /** Where it serves its metrics. */
  readonly http: Promise<string>
  readonly #events = new Map<string, number>()

  constructor(flags: readonly string[], nodeFlags: readonly string[]) {
    this.#child = spawn(
      process.execPath,
      [...nodeFlags, launcher, 'run', '--http', '127.0.0.1:0', '--log-level', 'info', ...flags],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...fewArenas } },
    )
    const lines = createInterface(this.#child.stdout!)
    this.http = new Promise(resolve => {
      lines.on('line', line => {
        if (line.includes('"event":"http"'))
          resolve((JSON.parse(line) as { address: string }).address)
      })
    })
    lines.on('line', line => {
      const event = /"event":"([^"]+)"/.exec(line)?.[1]
      if (event !== undefined && !this.#events.has(event)) this.#events.set(event, Date.now())
    })
    this.ready = new Promise((resolve, reject) => {
      lines.on('line', line => {
        if (line.includes('"event":"running"')) resolve()
        else if (line.includes('"level":40') || line.includes('"level":50'))
          process.stderr.write(`${line}\n`)
      })
      this.#child.once('exit', code => reject(new Error(`mailonce run ended with ${code}`)))
    })
  }

  /** Sum of a metric over its labels, or over those that are named. */
  async metric(name: string, labels = ''): Promise<number> {
    const text = await (await fetch(`http://${await this.http}/metrics`)).text()
    const lines = text
      .split('\n')
      .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    const values = lines.filter(line => line.includes(labels)).map(line => line.split(' ').at(-1))
    return values.reduce((sum, value) => sum + Number(value), 0)
  }

  /** User and system time, seconds. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  }

  /** When it logged such an event for the first time, epoch milliseconds; NaN before. */
  loggedAtMs(event: string): number {
    return this.#events.get(event) ?? NaN
  }

  /** Resident memory and its peak until now, MB. */
  memory(): { readonly rssMb: number; readonly maxRssMb: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
    return { rssMb: kib('VmRSS') / 1024, maxRssMb: kib('VmHWM') / 1024 }
  }

  /** As a machine that fails does it: nothing is said to anybody. */
  async kill(): Promise<void> {
    this.ready.catch(() => undefined)
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}
