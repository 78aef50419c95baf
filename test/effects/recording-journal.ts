import type { AttemptAddress, Journal } from '../../src/effects/journal.ts'
import type { StreamsError } from '../../src/errors.ts'
import type { OutcomeKind } from '../../src/sinks/sink.ts'

/** A journal that keeps its lines as words, and flushes when the test says so. */
export class RecordingJournal implements Journal {
  readonly evidence = []
  readonly lines: string[] = []
  failure: StreamsError | undefined

  attempts(addresses: readonly AttemptAddress[]): void {
    for (const { token, topic, partition } of addresses)
      this.lines.push(`attempt ${token} ${topic}/${partition}`)
  }

  async dots(tokens: readonly string[]): Promise<void> {
    if (this.failure) throw this.failure
    for (const token of tokens) this.lines.push(`dot ${token}`)
  }

  reply(token: string, outcome: OutcomeKind): void {
    this.lines.push(`reply ${token} ${outcome}`)
  }

  settled(tokens: readonly string[]): void {
    for (const token of tokens) this.lines.push(`settled ${token}`)
  }

  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
