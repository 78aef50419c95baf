import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { topicNames } from '../../src/email/topic-names.ts'
import type { Guarantee } from '../../src/runtime/committer.ts'
import { fewArenas } from './few-arenas.ts'
import type { BenchWorld } from './bench-world.ts'
import type { Figures, ScenarioOptions } from './scenario.ts'

/** What the process is told, as JSON. */
export interface DedupSettings {
  readonly kafka: string
  readonly registryUrl: string
  readonly directory: string
  readonly applicationId: string
  readonly output: string
  /** It ends by itself after so many; 0: when it is told to. */
  readonly records: number
  readonly guarantee: Guarantee
  readonly threads: number
}

/** What kind of run it is. */
export type DedupKind = Pick<DedupSettings, 'guarantee' | 'threads'>

const usual: DedupKind = { guarantee: 'exactly-once', threads: 1 }

const program = fileURLToPath(new URL('dedup-worker.ts', import.meta.url))
let started = 0

/** A process that runs the dedup stage alone, with an application id and an output topic of its own. */
export class DedupProcess implements AsyncDisposable {
  readonly applicationId: string
  readonly output: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(
    world: BenchWorld,
    records: number,
    options: ScenarioOptions,
    kind: Partial<DedupKind> = {},
  ) {
    started += 1
    this.applicationId = `bench-${started}`
    this.output = records > 0 ? `${this.applicationId}-out` : topicNames.dedup
    const settings: DedupSettings = {
      kafka: world.kafka,
      registryUrl: world.registryUrl,
      directory: world.directory,
      applicationId: this.applicationId,
      output: this.output,
      records,
      ...usual,
      ...kind,
    }
    this.#child = spawn(
      process.execPath,
      [...options.nodeFlags, program, JSON.stringify(settings)],
      { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...fewArenas } },
    )
    this.#lines = createInterface(this.#child.stdout!)[Symbol.asyncIterator]()
  }

  /** Topics that it made. */
  get topics(): readonly string[] {
    return [this.output, `${this.applicationId}-dedup-changelog`]
  }

  /** Its next line: once that it is ready, when it serves; then its figures. */
  async line(): Promise<Figures> {
    const next = await this.#lines.next()
    if (next.done === true) throw new Error('the process has ended without its figures')
    return JSON.parse(next.value) as Figures
  }

  /** The end of its standard input tells it to stop. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
  }
}
