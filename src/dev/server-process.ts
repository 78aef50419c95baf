import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

import type { Clock } from '../clock.ts'
import type { ProcessGuardian } from './process-guardian.ts'
import { lastLinesOf, type RunningServer } from './running-server.ts'

export interface ServerProcessOptions {
  readonly command: string
  readonly commandArguments: readonly string[]
  readonly workingDirectory: string
  readonly logFile: string
}

const stopGraceMs = 10_000

/** A server as a child process. It gets a session of its own, so that Ctrl-C in a terminal does not reach it first. */
export class ServerProcess implements RunningServer {
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #clock: Clock
  readonly #logFile: string

  constructor(options: ServerProcessOptions, guardian: ProcessGuardian, clock: Clock) {
    this.#clock = clock
    this.#logFile = options.logFile
    const log = openSync(options.logFile, 'a')
    this.#child = spawn(options.command, options.commandArguments, {
      cwd: options.workingDirectory,
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    this.ended = new Promise(resolve => {
      this.#child.once('error', error => resolve(error.message))
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    guardian.watch(this.#child)
  }

  async stop(): Promise<void> {
    const cancel = this.#clock.schedule(stopGraceMs, () => this.#child.kill('SIGKILL'))
    this.#child.kill('SIGTERM')
    await this.ended
    cancel()
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.ended
  }

  async lastLines(): Promise<string> {
    return lastLinesOf(await readFile(this.#logFile, 'utf8'))
  }
}
