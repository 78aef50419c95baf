import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { DownloadCache } from '../../../src/dev/download-cache.ts'
import { cacheDirectory } from '../../../src/dev/machine-parts.ts'
import { ServerJars } from '../../../src/dev/server-jars.ts'
import { systemRandom } from '../../../src/random.ts'

/** A record as any client may write it; without a partition the client's own partitioner chooses. */
export interface ForeignRecord {
  readonly topic: string
  readonly partition?: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, string>>
}

/** A record as a subscriber with `read_committed` sees it. */
export interface CommittedRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: ReadonlyMap<string, Buffer | null>
}

const program = fileURLToPath(new URL('foreign-client.java', import.meta.url))
const kafkaVersion = '4.3.1'
const javaCommand = 'java'

/**
 * The producer and the consumer of Apache's Java client in a process of its own: what other teams use, and what no line of ours
 * can flatter. It needs a JDK, which runs the program from its source.
 */
export class ForeignClient implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #onRecord: (record: CommittedRecord) => void
  readonly #answers = new Map<string, () => void>()
  readonly #failed: Promise<never>
  #asked = 0
  #closing = false

  private constructor(child: ChildProcess, onRecord: (record: CommittedRecord) => void) {
    this.#child = child
    this.#onRecord = onRecord
    createInterface({ input: child.stdout! }).on('line', line => this.#onLine(line))
    let last = ''
    child.stderr!.on('data', (chunk: Buffer) => (last = `${last}${chunk.toString()}`.slice(-4000)))
    this.#failed = once(child, 'close').then(() => {
      if (this.#closing) return new Promise<never>(() => undefined)
      throw new Error(`the foreign client (java ${program}) ended: ${last}`)
    })
    this.#failed.catch(() => undefined)
  }

  /** Tells every record of the topics from their beginning on, as it is committed. */
  static async start(
    bootstrapServers: string,
    topics: readonly string[],
    onRecord: (record: CommittedRecord) => void,
  ): Promise<ForeignClient> {
    const cache = new DownloadCache(cacheDirectory(process.env), systemRandom)
    const jars = await new ServerJars(cache, () => undefined).kafka(kafkaVersion)
    const quick = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
    const child = spawn(
      javaCommand,
      [...quick, quiet, '-cp', join(jars, '*'), program, bootstrapServers, ...topics],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    const client = new ForeignClient(child, onRecord)
    await client.#answer('ready')
    return client
  }

  /** Resolves when the brokers have acknowledged all of them. */
  async publish(records: readonly ForeignRecord[]): Promise<void> {
    for (const { topic, partition, key, value, headers = {} } of records) {
      const place = partition === undefined ? '-' : String(partition)
      const extra = Object.entries(headers).map(
        ([name, each]) => `${name}=${text(Buffer.from(each))}`,
      )
      this.#say('send', topic, place, text(key), text(value), ...extra)
    }
    await this.#ask('flush')
  }

  /** Resolves when everything that is committed by now has been told. */
  async caughtUp(): Promise<void> {
    await this.#ask('end')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#closing = true
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }

  /** Sets the offsets of a group without members to the beginning, as an operator would. */
  async rewind(groupId: string): Promise<void> {
    await this.#ask('rewind', groupId)
  }

  /** Takes the members out of a group of which no process is left: static ones stay until their session ends. */
  async forgetMembers(groupId: string): Promise<void> {
    await this.#ask('forget-members', groupId)
  }

  async #ask(...words: readonly string[]): Promise<void> {
    const [command = '', ...more] = words
    const id = String((this.#asked += 1))
    const answered = this.#answer(id)
    this.#say(command, id, ...more)
    await answered
  }

  async #answer(id: string): Promise<void> {
    const answer = Promise.withResolvers<void>()
    this.#answers.set(id, answer.resolve)
    await Promise.race([answer.promise, this.#failed])
  }

  #say(...words: readonly string[]): void {
    this.#child.stdin!.write(`${words.join('\t')}\n`)
  }

  #onLine(line: string): void {
    const [kind, ...words] = line.split('\t')
    if (kind === 'record') this.#onRecord(recordOf(words))
    else this.#answers.get(words[0] ?? 'ready')?.()
  }
}

function recordOf(words: readonly string[]): CommittedRecord {
  const [topic = '', partition, offset, key = '-', value = '-', ...headers] = words
  return {
    topic,
    partition: Number(partition),
    offset: Number(offset),
    key: bytes(key),
    value: bytes(value),
    headers: new Map(
      headers.map(header => {
        const at = header.indexOf('=')
        return [header.slice(0, at), bytes(header.slice(at + 1))]
      }),
    ),
  }
}

const text = (value: Buffer | null): string => (value === null ? '-' : value.toString('base64'))
const bytes = (value: string): Buffer | null =>
  value === '-' ? null : Buffer.from(value, 'base64')
