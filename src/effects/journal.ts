import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describeError, StreamsError } from '../errors.ts'
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

const compactAboveBytes = 16 * 1024 * 1024

/** Appends lines of JSON to one file; whoever owns the state directory owns it. A torn last line is what a crash leaves. */
export class FileJournal implements Journal {
  readonly #path: string
  readonly #entries: Map<string, Entry>
  readonly evidence: readonly JournalEvidence[]
  #file: FileHandle
  #bytes = 0
  #buffer = ''
  /** The write that is under way, and the one that will take what is in the buffer now. */
  #writing: Promise<void> = Promise.resolve()
  #nextWrite: Promise<void> | undefined
  /** Likewise of the flushes. They run beside the writes: a reply need not wait for the disk to be safe from a crash of this process. */
  #syncing: Promise<void> = Promise.resolve()
  #nextSync: Promise<void> | undefined
  #failure: StreamsError | undefined

  private constructor(path: string, entries: Map<string, Entry>, file: FileHandle) {
    this.#path = path
    this.#entries = entries
    this.#file = file
    this.evidence = [...entries.values()].flatMap(evidenceOf)
  }

  /** Reads what is there and writes it anew. Throws DISK_FULL, and then has changed nothing. */
  static async open(path: string): Promise<FileJournal> {
    try {
      const entries = replay(await readFile(path, 'utf8').catch(emptyWhenMissing))
      const journal = new FileJournal(path, entries, await open(path, 'a'))
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
    for (const address of addresses) this.#append({ l: 'attempt', a: address })
    void this.#flush(false).catch(() => undefined)
  }

  async dots(tokens: readonly string[]): Promise<void> {
    this.#append({ l: 'dot', t: tokens })
    await this.#flush(true)
  }

  reply(
    token: string,
    outcome: OutcomeKind,
    reply: string,
    atMs: number,
    notes: OutcomeNotes = {},
  ): void {
    this.#append({ l: 'reply', t: token, o: outcome, r: reply, m: atMs, n: notes })
    void this.#flush(true).catch(() => undefined)
  }

  settled(tokens: readonly string[]): void {
    this.#append({ l: 'settled', t: tokens })
    void this.#flush(false).catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.#flush(true).catch(() => undefined)
    await this.#file.close().catch(() => undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #append(line: Line): void {
    remember(this.#entries, line)
    this.#buffer += `${JSON.stringify(line)}\n`
  }

  /** Groups: whoever comes while a write, or a flush, is under way shares the next one. */
  #flush(toDisk: boolean): Promise<void> {
    this.#nextWrite ??= this.#writeAfter(this.#writing)
    if (!toDisk) return this.#nextWrite
    // Whoever waits for the flush learns of the failure from it.
    this.#nextWrite.catch(() => undefined)
    this.#nextSync ??= this.#syncAfter(this.#syncing)
    return this.#nextSync
  }

  async #writeAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined)
    this.#writing = this.#nextWrite ?? before
    this.#nextWrite = undefined
    const text = this.#buffer
    this.#buffer = ''
    await this.#orFail(async () => {
      if (text !== '') await this.#file.appendFile(text)
      this.#bytes += text.length
      if (this.#bytes > compactAboveBytes) await this.#compact()
    })
  }

  /** What was written by everybody who shares this flush is in the file before it begins. */
  async #syncAfter(before: Promise<void>): Promise<void> {
    await before.catch(() => undefined)
    this.#syncing = this.#nextSync ?? before
    this.#nextSync = undefined
    await (this.#nextWrite ?? this.#writing)
    await this.#orFail(() => this.#file.datasync())
  }

  /** After a failure what reached the file is unknown, so no later line may be trusted either. */
  async #orFail(step: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      await step()
    } catch (cause) {
      this.#failure ??= journalFailure(this.#path, cause)
      throw this.#failure
    }
  }

  /** Writes what is unsettled to a new file and puts it in the old one's place. */
  async #compact(): Promise<void> {
    const next = `${this.#path}.next`
    await rm(next, { force: true })
    const file = await open(next, 'a')
    const lines = [...this.#entries.values()]
      .flatMap(linesOf)
      .map(line => `${JSON.stringify(line)}\n`)
    await file.appendFile(lines.join(''))
    await file.datasync()
    await rename(next, this.#path)
    await syncDirectory(dirname(this.#path))
    // A flush that begins from now on takes the new file; one that is under way keeps the old one open to its end.
    const before = this.#file
    this.#file = file
    this.#bytes = 0
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
