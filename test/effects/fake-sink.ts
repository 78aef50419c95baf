import type {
  FailedAttempt,
  Outcome,
  OutcomeKind,
  PreparedAttempt,
  Sink,
  SinkAttempt,
} from '../../src/sinks/sink.ts'
import { failureOf } from './delivery-fixture.ts'

/** One try as the other side sees it: the test says how each step ends. */
export class FakeTry {
  readonly attempt: SinkAttempt<string>
  readonly signal: AbortSignal
  readonly prepared: Promise<PreparedAttempt | FailedAttempt>
  /** `dotted`: the last step was taken. `undone`: it never will be. */
  state: 'preparing' | 'held' | 'dotted' | 'undone' = 'preparing'
  #answer: (prepared: PreparedAttempt | FailedAttempt) => void = () => undefined
  #reply: (outcome: Outcome) => void = () => undefined
  #lose: (reason: string) => void = () => undefined
  #breakPrepare: (error: Error) => void = () => undefined
  #breakPerform: (error: Error) => void = () => undefined

  constructor(attempt: SinkAttempt<string>, signal: AbortSignal, isDeaf: boolean) {
    this.attempt = attempt
    this.signal = signal
    this.prepared = new Promise((resolve, reject) => {
      this.#answer = resolve
      this.#breakPrepare = reject
    })
    signal.addEventListener('abort', () => {
      if (isDeaf) return
      if (this.state === 'preparing') this.fail({ reached: false, reply: 'stopped' })
      this.state = 'undone'
    })
  }

  get identity(): string {
    return this.attempt.identity
  }

  /** Everything that can be undone is done. */
  hold(
    lists: Partial<
      Pick<PreparedAttempt, 'accepted' | 'refused' | 'deferred' | 'repeatableForMs'>
    > = {},
  ): void {
    this.state = 'held'
    this.#answer({
      kind: 'prepared',
      accepted: this.attempt.targets,
      refused: [],
      deferred: [],
      ...lists,
      messageId: `<${this.identity}>`,
      contentHash: 'hash',
      relay: 'relay:25',
      lost: new Promise(resolve => (this.#lose = resolve)),
      abandon: () => void (this.state = 'undone'),
      perform: mayPerform => this.#perform(mayPerform),
    })
  }

  fail(failure: Partial<FailedAttempt> = {}): void {
    this.#answer(failureOf(failure))
  }

  /** The sink breaks its promise. */
  breakDown(reason: string): void {
    const error = new Error(reason)
    this.#breakPrepare(error)
    this.#breakPerform(error)
  }

  /** The other side gives up before the last step. */
  lose(reason: string): void {
    this.#lose(reason)
  }

  /** What came of the last step. */
  reply(kind: OutcomeKind): void {
    this.answer({ kind, reply: `said ${kind}` })
  }

  /** The same in full. */
  answer(outcome: Outcome): void {
    this.#reply(outcome)
  }

  #perform(mayPerform: () => boolean): Promise<Outcome> {
    if (this.state !== 'held' || !mayPerform())
      return Promise.resolve({ kind: 'abandoned', reply: 'not performed' })
    this.state = 'dotted'
    return new Promise((resolve, reject) => {
      this.#reply = resolve
      this.#breakPerform = reject
    })
  }
}

/** An outside world that does what the test says, and remembers what it was asked for. */
export class FakeSink implements Sink<string> {
  readonly concurrencyMax: number
  readonly tries: FakeTry[] = []
  /** It goes on preparing what was stopped. */
  isDeaf = false

  constructor(concurrencyMax: number) {
    this.concurrencyMax = concurrencyMax
  }

  prepare(
    attempt: SinkAttempt<string>,
    signal: AbortSignal,
  ): Promise<PreparedAttempt | FailedAttempt> {
    const each = new FakeTry(attempt, signal, this.isDeaf)
    this.tries.push(each)
    return each.prepared
  }

  /** The latest try of the request. */
  of(identity: string): FakeTry {
    return this.tries.findLast(each => each.identity === identity)!
  }

  /** How often the last step of the request was taken. */
  dots(identity: string): number {
    return this.tries.filter(each => each.identity === identity && each.state === 'dotted').length
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
