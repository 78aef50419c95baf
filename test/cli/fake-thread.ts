import type { Health } from '../../src/cli/http-server.ts'
import type {
  FromThread,
  ThreadAnswers,
  ThreadPort,
  ThreadQuestion,
  ToThread,
} from '../../src/cli/thread-messages.ts'

const ready: Health = { healthy: true, ready: true, text: 'running' }

/** A thread that does nothing but what a test says. */
export class FakeThread implements ThreadPort {
  readonly heard: ToThread[] = []
  readonly #gone = Promise.withResolvers<unknown>()
  readonly gone = this.#gone.promise
  /** Stops when it is told to. */
  obeys = true
  answers = true
  counted = 1
  terminated = false
  #listener: (message: FromThread) => void = () => undefined

  onMessage(listener: (message: FromThread) => void): void {
    this.#listener = listener
  }

  post(message: ToThread): void {
    this.heard.push(message)
    if (message.kind === 'stop' && this.obeys) this.end({ kind: 'stopped' })
    if (message.kind === 'ask' && this.answers)
      this.say({ kind: 'answer', id: message.id, answer: this.#answer(message.question) })
  }

  say(message: FromThread): void {
    this.#listener(message)
  }

  isReady(): void {
    this.say({ kind: 'health', health: ready })
  }

  /** With its last words. */
  end(words: FromThread): void {
    this.say(words)
    this.#gone.resolve(undefined)
  }

  die(cause: Error): void {
    this.#gone.resolve(cause)
  }

  #answer({ about }: ThreadQuestion): ThreadAnswers[keyof ThreadAnswers] {
    if (about === 'query') return { status: 404, body: {} }
    const values = new Map([['', this.counted]])
    return [{ name: 'done_total', help: 'Done.', kind: 'counter', across: 'sum', values }]
  }

  terminate(): Promise<void> {
    this.terminated = true
    this.#gone.resolve(undefined)
    return Promise.resolve()
  }
}
