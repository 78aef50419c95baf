import type {
  FailedAttempt,
  Outcome,
  PreparedAttempt,
  RelayRooms,
  Sink,
  SinkAttempt,
} from './sink.ts'

const prefix = 'dry run: '

/** No relay's reply looks like it: those begin with a code. */
export function isDryRunReply(reply: string): boolean {
  return reply.startsWith(prefix)
}

/** Everything but the step that cannot be undone: what the other side says before it is real, and then the attempt is dropped. */
export class DryRunSink<Request> implements Sink<Request> {
  readonly concurrencyMax: number
  readonly #inner: Sink<Request>
  readonly #lastStep: string

  /** `lastStep` names what is not done, for the reply. */
  constructor(inner: Sink<Request>, lastStep: string) {
    this.#inner = inner
    this.#lastStep = lastStep
    this.concurrencyMax = inner.concurrencyMax
  }

  get rooms(): RelayRooms | undefined {
    return this.#inner.rooms
  }

  setShare(share: number): void {
    this.#inner.setShare?.(share)
  }

  async prepare(
    attempt: SinkAttempt<Request>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const result = await this.#inner.prepare(attempt, signal)
    if (result.kind === 'failed') return result
    const { relay } = result
    const perform = (mayPerform: () => boolean): Promise<Outcome> => {
      const isInTime = mayPerform()
      result.abandon()
      const reply = `${prefix}${relay} took everything up to ${this.#lastStep}, which was not sent`
      return Promise.resolve(
        isInTime ? { kind: 'refused', reply } : { kind: 'abandoned', reply: 'its time has passed' },
      )
    }
    return { ...result, perform }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
