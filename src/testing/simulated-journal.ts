import type { AttemptAddress, Journal, JournalEvidence } from '../effects/journal.ts'
import type { StreamsError } from '../errors.ts'
import type { OutcomeKind, OutcomeNotes } from '../sinks/sink.ts'
import type { DiskOperations } from './disk-operations.ts'

interface JournalReply extends OutcomeNotes {
  readonly outcome: OutcomeKind
  readonly reply: string
  readonly atMs: number
}

interface JournalEntry {
  readonly address: AttemptAddress
  readonly dotted: boolean
  readonly reply: JournalReply | undefined
}

/** What the journal says about unsettled attempts, by token. */
export type JournalEntries = Map<string, JournalEntry>

/** The journal on a simulated disk: what was not flushed at a death is there up to some line, by chance. */
export class SimulatedJournal implements Journal {
  readonly evidence: readonly JournalEvidence[]
  readonly #disk: { readonly journal: JournalEntries }
  readonly #operations: DiskOperations
  failure: StreamsError | undefined
  /** Lines in order: each waits for the one before, as in a file. */
  #written: Promise<void> = Promise.resolve()

  constructor(disk: { readonly journal: JournalEntries }, operations: DiskOperations) {
    this.#disk = disk
    this.#operations = operations
    this.evidence = [...disk.journal.values()].flatMap(evidenceOf)
  }

  attempts(addresses: readonly AttemptAddress[]): void {
    this.#appendUnheard(() => {
      for (const address of addresses)
        this.#disk.journal.set(address.token, { address, dotted: false, reply: undefined })
    })
  }

  dots(tokens: readonly string[]): Promise<void> {
    return this.#append(() => {
      for (const token of tokens) this.#change(token, entry => ({ ...entry, dotted: true }))
    })
  }

  reply(
    token: string,
    outcome: OutcomeKind,
    reply: string,
    atMs: number,
    notes: OutcomeNotes = {},
  ): void {
    this.#appendUnheard(() => {
      this.#change(token, entry => ({ ...entry, reply: { outcome, reply, atMs, ...notes } }))
    })
  }

  settled(tokens: readonly string[]): void {
    this.#appendUnheard(() => {
      for (const token of tokens) this.#disk.journal.delete(token)
    })
  }

  close(): Promise<void> {
    return this.#written.catch(() => undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #change(token: string, change: (entry: JournalEntry) => JournalEntry): void {
    const entry = this.#disk.journal.get(token)
    if (entry !== undefined) this.#disk.journal.set(token, change(entry))
  }

  #append(line: () => void): Promise<void> {
    this.#written = this.#written
      .then(() => this.#operations.write(line))
      .catch((error: unknown) => {
        this.failure = error as StreamsError
        throw error
      })
    return this.#written
  }

  /** A failure is heard by the next `dots`: after it no line is written any more. */
  #appendUnheard(line: () => void): void {
    this.#append(line).catch(() => undefined)
  }
}

function evidenceOf({ address, dotted, reply }: JournalEntry): JournalEvidence[] {
  if (reply !== undefined) return [{ ...address, ...reply }]
  if (dotted) return []
  return [{ ...address, outcome: 'abandoned', reply: 'it was never performed', atMs: 0 }]
}
