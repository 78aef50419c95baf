import { type Clock, sleep } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import type { Health } from './http-server.ts'
import type { FromThread, ThreadAnswers, ThreadPort, ThreadQuestion } from './thread-messages.ts'

/** A thread that says nothing for so long is stuck, milliseconds. A single-threaded process that is stuck answers no probe either. */
const silenceMaxMs = 30_000
/** Whoever asks over HTTP does not wait longer, milliseconds. */
const answerMaxMs = 5000

/** One thread from its start to its end, seen from outside. */
export class RunningThread {
  readonly index: number
  /** Resolves when it stopped because it was told to; rejects with what ended it, THREAD_DIED where it did not say. */
  readonly ended: Promise<void>
  readonly #port: ThreadPort
  readonly #clock: Clock
  readonly #questions = new Map<number, (answer: never) => void>()
  #asked = 0
  #health: Health = { healthy: true, ready: false, text: 'starting' }
  #heardMs: number
  #lastWords: Extract<FromThread, { kind: 'stopped' | 'failed' }> | undefined
  #isGone = false

  constructor(index: number, port: ThreadPort, clock: Clock) {
    this.index = index
    this.#port = port
    this.#clock = clock
    this.#heardMs = clock.monotonicMs()
    port.onMessage(message => this.#hear(message))
    this.ended = port.gone.then(cause => this.#end(cause))
  }

  health(): Health {
    if (this.#isGone) return { healthy: true, ready: false, text: 'has ended' }
    const silentMs = this.#clock.monotonicMs() - this.#heardMs
    if (silentMs <= silenceMaxMs) return this.#health
    const text = `stuck: it has said nothing for ${Math.round(silentMs / 1000)} s`
    return { healthy: false, ready: false, text }
  }

  /** Undefined when it does not answer: it is gone, or stuck. */
  async ask<About extends keyof ThreadAnswers>(
    question: ThreadQuestion & { readonly about: About },
  ): Promise<ThreadAnswers[About] | undefined> {
    if (this.#isGone) return undefined
    this.#asked += 1
    const id = this.#asked
    const answered = new Promise<ThreadAnswers[About]>(resolve => this.#questions.set(id, resolve))
    this.#port.post({ kind: 'ask', id, question })
    const enough = new AbortController()
    const answer = await Promise.race([answered, sleep(this.#clock, answerMaxMs, enough.signal)])
    enough.abort()
    this.#questions.delete(id)
    return answer ?? undefined
  }

  stop(withinMs: number): void {
    if (!this.#isGone) this.#port.post({ kind: 'stop', withinMs })
  }

  terminate(): Promise<void> {
    return this.#port.terminate()
  }

  #hear(message: FromThread): void {
    this.#heardMs = this.#clock.monotonicMs()
    if (message.kind === 'health') this.#health = message.health
    else if (message.kind === 'answer') this.#questions.get(message.id)?.(message.answer as never)
    else this.#lastWords = message
  }

  #end(cause: unknown): void {
    this.#isGone = true
    for (const answer of this.#questions.values()) answer(undefined as never)
    this.#questions.clear()
    const words = this.#lastWords
    if (words?.kind === 'failed') throw new StreamsError(words.code, words.message)
    if (words?.kind === 'stopped') return
    const why = cause === undefined ? 'nobody knows why' : describeError(cause)
    throw new StreamsError(
      'THREAD_DIED',
      `thread ${this.index} of this process has died: ${why}; the others come to rest, and what it had under way is taken up again: start the process again`,
      { cause },
    )
  }
}
