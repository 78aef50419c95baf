import type { Reuse } from './held-send.ts'
import { openLink } from './open-link.ts'
import type { SmtpLink } from './smtp-link.ts'
import type { ResolvedSmtpOptions } from './smtp-options.ts'

/** How long a relay may take over its answer to QUIT, milliseconds. */
const goodbyeTimeoutMs = 1000

/** A session that is lent to one send. */
export interface LentLink {
  readonly link: SmtpLink
  /** It was idle before. */
  readonly reused: boolean
}

/**
 * Open sessions with the relay, at most `connectionsMax`. A session is lent to one send at a time; it waits unused for
 * `idleTimeoutMs`, and one that the relay closes meanwhile is forgotten at once.
 */
export class SmtpPool {
  readonly #options: ResolvedSmtpOptions
  /** The one used last is the last. */
  readonly #idle: SmtpLink[] = []
  readonly #waiting = new Set<() => void>()
  readonly #goodbyes = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #closed = false
  #inUse = 0

  constructor(options: ResolvedSmtpOptions) {
    this.#options = options
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Lends the session used last; null where that cannot be had at once. */
  acquireIdle(signal: AbortSignal): LentLink | null {
    if (signal.aborted || this.closed || this.#inUse >= this.#options.connectionsMax) return null
    const link = this.#takeIdle()
    if (link === undefined) return null
    this.#inUse += 1
    return { link, reused: true }
  }

  /**
   * Lends the session used last, or opens one. Rejects with RELAY_UNAVAILABLE; resolves to null when the signal or `close`
   * came first. With `fresh` it opens a new one: the relay has shown that it forgets idle ones.
   */
  async acquire(signal: AbortSignal, fresh = false): Promise<LentLink | null> {
    const stopped = (): boolean => signal.aborted || this.closed
    while (!stopped() && this.#inUse >= this.#options.connectionsMax) await this.#slot(signal)
    if (stopped()) {
      this.#wakeOne()
      return null
    }
    this.#inUse += 1
    const idle = fresh ? undefined : this.#takeIdle()
    if (idle !== undefined) return { link: idle, reused: true }
    if (this.#inUse + this.#idle.length > this.#options.connectionsMax) this.#dismissOldest()
    try {
      const link = await openLink(this.#options, AbortSignal.any([signal, this.#closing.signal]))
      this.#options.log.debug({ event: 'smtp-connected', relay: this.#options.endpoint.name })
      return { link, reused: false }
    } catch (error) {
      this.#free()
      if (stopped()) return null
      throw error
    }
  }

  /** Takes a session back. The send has dropped it already where it cannot be used again. */
  release(link: SmtpLink, reuse: Reuse): void {
    const worn = link.mails >= this.#options.mailsPerConnectionMax
    if (reuse === 'drop' || link.ended !== null || this.closed) {
      link.drop()
      this.#free()
    } else if (worn) {
      this.#free()
      this.#dismiss(link)
    } else if (reuse === 'reset') {
      this.#track(this.#resetThenIdle(link))
    } else {
      this.#keep(link)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#closing.abort()
    for (const link of this.#idle.splice(0)) {
      link.forget()
      this.#dismiss(link)
    }
    await Promise.all(this.#goodbyes)
  }

  async #resetThenIdle(link: SmtpLink): Promise<void> {
    const drop = (): void => link.drop()
    const cancel = this.#options.clock.schedule(this.#options.replyTimeoutMs, drop)
    this.#closing.signal.addEventListener('abort', drop, { once: true })
    const ready = await link.reset()
    this.#closing.signal.removeEventListener('abort', drop)
    cancel()
    if (ready && link.ended === null && !this.closed) return this.#keep(link)
    link.drop()
    this.#free()
  }

  #keep(link: SmtpLink): void {
    link.forget()
    link.onEnd = () => this.#forget(link)
    link.deadline.set(this.#options.idleTimeoutMs, () => {
      this.#forget(link)
      this.#dismiss(link)
    })
    this.#idle.push(link)
    this.#free()
  }

  #takeIdle(): SmtpLink | undefined {
    for (let link; (link = this.#idle.pop());) {
      link.forget()
      if (link.ended === null) return link
      link.drop()
    }
    return undefined
  }

  #forget(link: SmtpLink): void {
    this.#idle.splice(this.#idle.indexOf(link), 1)
    link.forget()
  }

  #dismissOldest(): void {
    const oldest = this.#idle.shift()
    oldest?.forget()
    oldest?.drop()
  }

  #dismiss(link: SmtpLink): void {
    const cancel = this.#options.clock.schedule(goodbyeTimeoutMs, () => link.drop())
    this.#track(link.quit().finally(cancel))
  }

  #track(goodbye: Promise<void>): void {
    const tracked = goodbye.finally(() => this.#goodbyes.delete(tracked))
    this.#goodbyes.add(tracked)
  }

  #free(): void {
    this.#inUse -= 1
    this.#wakeOne()
  }

  #wakeOne(): void {
    const [wake] = this.#waiting
    wake?.()
  }

  #slot(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }
}
