import type { ErrorCode } from '../errors.ts'
import type { MetricSnapshot } from '../metric-snapshot.ts'
import type { Health } from './http-server.ts'
import type { QueryAnswer } from './request-queries.ts'

/** What a thread can be asked, and what it answers. */
export interface ThreadAnswers {
  readonly metrics: readonly MetricSnapshot[]
  readonly query: QueryAnswer | undefined
}

export type ThreadQuestion =
  | { readonly about: 'metrics' }
  | { readonly about: 'query'; readonly path: string }

export type ToThread =
  | { readonly kind: 'ask'; readonly id: number; readonly question: ThreadQuestion }
  | { readonly kind: 'stop'; readonly withinMs: number }

export type FromThread =
  /** Said again and again: silence says that the thread is stuck. */
  | { readonly kind: 'health'; readonly health: Health }
  | {
      readonly kind: 'answer'
      readonly id: number
      /** Undefined where it has none. */
      readonly answer: ThreadAnswers[keyof ThreadAnswers] | undefined
    }
  /** Its last words: it was told to stop, and has. */
  | { readonly kind: 'stopped' }
  /** Its last words: it cannot go on. */
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/** A thread as the one that started it sees it. */
export interface ThreadPort {
  post(message: ToThread): void
  /** Called once, before anything can have been said. */
  onMessage(listener: (message: FromThread) => void): void
  /** Resolves when it is gone, after all it has said; with what it died of, where nobody caught it. */
  readonly gone: Promise<unknown>
  /** Ends it at once. */
  terminate(): Promise<void>
}
