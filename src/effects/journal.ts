import { writeSync } from 'node:fs'
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Cancel, type Clock, systemClock } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import { type Json, JsonWriter } from '../json-writer.ts'
import type { Fact } from './flights.ts'
import { notesOf, type OutcomeKind, type OutcomeNotes } from '../sinks/sink.ts'

/** Where an attempt's evidence must go: the partition of the command topic whose task owns the request. */
export interface AttemptAddress {
  readonly token: string
  readonly identity: string
  readonly topic: string
  readonly partition: number
}

/** What the last life of this instance left behind: evidence that nobody may have committed yet. */
export interface JournalEvidence extends AttemptAddress, OutcomeNotes {
  readonly outcome: OutcomeKind
  readonly reply: string
  readonly atMs: number
}

/** What a task that has left still learnt. */
export function evidenceOfFact(
  { topic, partition }: Pick<AttemptAddress, 'topic' | 'partition'>,
  { identity, token, outcome, atMs }: Fact,
): JournalEvidence {
  const { kind, reply } = outcome
  return { topic, partition, identity, token, outcome: kind, reply, atMs, ...notesOf(outcome) }
}

/**
 * `attempt` comes before transaction 1, `dot` before the last step, `reply` after it, `settled` after transaction 2.
 * `dot` alone is flushed before it counts: so an attempt without one was certainly never performed, whatever died.
 */
type Line =
  | { readonly l: 'attempt'; readonly a: AttemptAddress }
  | { readonly l: 'dot'; readonly t: readonly string[] }
  | {
      readonly l: 'reply'
      readonly t: string
      readonly o: OutcomeKind
      readonly r: string
      readonly m: number
      readonly n?: OutcomeNotes
    }
  | { readonly l: 'settled'; readonly t: readonly string[] }

interface Entry {
  readonly address: AttemptAddress
  dotted: boolean
  reply: Extract<Line, { l: 'reply' }> | undefined
}

export interface Journal extends AsyncDisposable {
  /** Unsettled evidence found at the start. */
  readonly evidence: readonly JournalEvidence[]
  /** Set once a line could not be written: DISK_FULL or another reason. No attempt may begin any more. */
  readonly failure: StreamsError | undefined
  attempts(addresses: readonly AttemptAddress[]): void
  /** Resolves when the lines are on the disk. Rejects with DISK_FULL (or another reason): then nothing may be performed. */
  dots(tokens: readonly string[]): Promise<void>
  reply(
    token: string,
    outcome: OutcomeKind,
    reply: string,
    atMs: number,
    notes?: OutcomeNotes,
  ): void
  settled(tokens: readonly string[]): void
  close(): Promise<void>
}

const json = new JsonWriter()

const compactAboveBytes = 16 * 1024 * 1024
/** Replies are flushed together, with the next dots or so soon, milliseconds: what they need at once is to outlive this process. */
const replyFlushMs = 5

/**
 * Appends lines of JSON to one file; whoever owns the state directory owns it. A torn last line is what a crash leaves. Lines go to the
 * kernel at once, some microseconds each time, so they outlive this process; flushes, which are for a machine that dies, run beside them.
 */
export class FileJournal implements Journal {
  readonly #path: string
  readonly #entries: Map<string, Entry>
  readonly evidence: readonly JournalEvidence[]
  #file: FileHandle
  #bytes = 0
  /** Not yet written: only while the file is replaced. */
  #buffer = ''
  #isCompacting = false
  /** The flush that is under way, and the one that will take what is written now. */
  #syncing: Promise<void> = Promise.resolve()
  #nextSync: Promise<void> | undefined
  #cancelReplyFlush: Cancel | undefined
  #failure: StreamsError | undefined
  readonly #clock: Clock

  private constructor(path: string, entries: Map<string, Entry>, file: FileHandle, clock: Clock) {
    this.#path = path
    this.#entries = entries
    this.#file = file
    this.#clock = clock
    this.evidence = [...entries.values()].flatMap(evidenceOf)
  }

  /** Reads what is there and writes it anew. Throws DISK_FULL, and then has changed nothing. */
  static async open(path: string, clock: Clock = systemClock): Promise<FileJournal> {
    try {
      const entries = replay(await readFile(path, 'utf8').catch(emptyWhenMissing))
      const journal = new FileJournal(path, entries, await open(path, 'a'), clock)
      await journal.#compact()
      return journal
    } catch (cause) {
      throw journalFailure(path, cause)
    }
  }

  get failure(): StreamsError | undefined {
    return this.#failure
  }

  attempts(addresses: readonly AttemptAddress[]): void {
    this.#write(addresses.map(address => ({ l: 'attempt', a: address })))
  }

  async dots(tokens: readonly string[]): Promise<void> {
    this.#write([{ l: 'dot', t: tokens }])
    await this.#flush()
  }

  reply(
    token: string,
    outcome: OutcomeKind,
    reply: string,
    atMs: number,
    notes: OutcomeNotes = {},
  ): void {
    this.#write([{ l: 'reply', t: token, o: outcome, r: reply, m: atMs, n: notes }])
    this.#cancelReplyFlush ??= this.#clock.schedule(replyFlushMs, () => {
      this.#flush().catch(() => undefined)
    })
  }

  settled(tokens: readonly string[]): void {
    this.#write([{ l: 'settled', t: tokens }])
  }

  async close(): Promise<void> {
    await this.#flush().catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #write(lines: readonly Line[]): void {
    json.begin()
    for (const line of lines) {
      remember(this.#entries, line)
      json.value(line as unknown as Json)
      json.raw('\n')
    }
    if (this.#isCompacting) this.#buffer += json.bytes.toString('utf8', 0, json.length)
    else this.#append(json.bytes, json.length)
  }

  #writeBuffer(): void {
    const bytes = Buffer.from(this.#buffer)
    this.#buffer = ''
    this.#append(bytes, bytes.length)
  }

  #append(bytes: Buffer, length: number): void {
    if (this.#failure !== undefined) return
    this.#bytes += length
    try {
      for (let done = 0; done < length;)
        done += writeSync(this.#file.fd, bytes, done, length - done)
    } catch (cause) {
      this.#fail(cause)
    }
  }

  /** Groups: whoever comes while a flush is under way shares the next one. */
  #flush(): Promise<void> {
    this.#nextSync ??= this.#syncAfter(this.#syncing)
    return this.#nextSync
  }

  /** What was written by everybody who shares this flush is in the file before it begins. */
  async #syncAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined)
    this.#syncing = this.#nextSync ?? before
    this.#nextSync = undefined
    this.#cancelReplyFlush?.()
    this.#cancelReplyFlush = undefined
    try {
      this.#mustBeWhole()
      if (this.#bytes > compactAboveBytes) await this.#compact()
      await this.#file.datasync()
    } catch (cause) {
      this.#fail(cause)
    }
    // A line that could not be written meanwhile may be one of those that are waited for.
    this.#mustBeWhole()
  }

  #mustBeWhole(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** What reached the file is unknown now, so no later line may be trusted either. */
  #fail(cause: unknown): void {
    this.#failure ??= journalFailure(this.#path, cause)
    this.#isCompacting = false
  }

  /** Writes what is unsettled to a new file and puts it in the old one's place; lines that come meanwhile follow. */
  async #compact(): Promise<void> {
    this.#isCompacting = true
    const next = `${this.#path}.next`
    await rm(next, { force: true })
    const file = await open(next, 'a')
    const lines = [...this.#entries.values()]
      .flatMap(linesOf)
      .map(line => `${JSON.stringify(line)}\n`)
    // They are among these.
    this.#buffer = ''
    await file.appendFile(lines.join(''))
    await file.datasync()
    await rename(next, this.#path)
    await syncDirectory(dirname(this.#path))
    const before = this.#file
    this.#file = file
    this.#bytes = 0
    this.#isCompacting = false
    this.#writeBuffer()
    await before.close()
  }
}

/** A power failure must not bring back the file that was replaced: it knows none of the dots that follow. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function remember(entries: Map<string, Entry>, line: Line): void {
  switch (line.l) {
    case 'attempt':
      entries.set(line.a.token, { address: line.a, dotted: false, reply: undefined })
      return
    case 'dot':
      for (const token of line.t) {
        const entry = entries.get(token)
        if (entry) entry.dotted = true
      }
      return
    case 'reply': {
      const entry = entries.get(line.t)
      if (entry) entry.reply = line
      return
    }
    case 'settled':
      for (const token of line.t) entries.delete(token)
  }
}

function replay(text: string): Map<string, Entry> {
  const entries = new Map<string, Entry>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    try {
      remember(entries, JSON.parse(line) as Line)
    } catch {
      // Torn by a crash: it was never flushed, so nobody acted on it. What stands behind it may have been.
      continue
    }
  }
  return entries
}

/** A dot without a reply is no evidence: that attempt is in doubt. */
function evidenceOf({ address, dotted, reply }: Entry): JournalEvidence[] {
  if (reply) {
    const notes = notesOf(reply.n ?? {})
    return [{ ...address, outcome: reply.o, reply: reply.r, atMs: reply.m, ...notes }]
  }
  return dotted
    ? []
    : [
        {
          ...address,
          outcome: 'abandoned',
          reply: 'stopped before the message was handed over',
          atMs: 0,
        },
      ]
}

function linesOf({ address, dotted, reply }: Entry): Line[] {
  const lines: Line[] = [{ l: 'attempt', a: address }]
  if (dotted) lines.push({ l: 'dot', t: [address.token] })
  if (reply) lines.push(reply)
  return lines
}

function emptyWhenMissing(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
  throw error
}

function journalFailure(path: string, cause: unknown): StreamsError {
  const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC'
  return new StreamsError(
    full ? 'DISK_FULL' : 'INTERNAL',
    `the journal ${path} cannot be written, so nothing can be sent: ${full ? 'free some disk space' : describeError(cause)}`,
    { cause },
  )
}
