import type { EmailCallback, EmailFailed, EmailSent } from '../email/records.ts'

/** A mail as far as the demo looks at it. */
export interface DemoMail {
  readonly subject: string
  readonly receivedAtMs: number
}

/** Everything that was seen of the requests, put into the words of the table. */
export class DemoObservations {
  readonly #sent = new Map<string, EmailSent[]>()
  readonly #failed = new Map<string, EmailFailed[]>()
  readonly #callbacks = new Map<string, EmailCallback[]>()
  readonly #deadLetters = new Map<string, string[]>()
  readonly #mails = new Map<string, DemoMail[]>()

  sent(outcome: EmailSent): void {
    append(this.#sent, outcome.requestId, outcome)
  }

  failed(outcome: EmailFailed): void {
    append(this.#failed, outcome.requestId, outcome)
  }

  callback(callback: EmailCallback): void {
    append(this.#callbacks, callback.requestId, callback)
  }

  deadLetter(requestId: string, code: string): void {
    append(this.#deadLetters, requestId, code)
  }

  /** The subject is the request's id. */
  mail(mail: DemoMail): void {
    append(this.#mails, mail.subject, mail)
  }

  /** How the request has ended as far as is known; every repetition of anything shows. */
  describe(requestId: string, notBeforeMs: number | null): string {
    const mails = this.#mails.get(requestId) ?? []
    const callbacks = this.#callbacks.get(requestId) ?? []
    const times =
      mails.length === 0
        ? 'not mailed'
        : mails.length === 1
          ? 'mailed once'
          : `mailed ${mails.length} times`
    const early = mails.some(mail => mail.receivedAtMs < (notBeforeMs ?? 0))
    return [
      ...(this.#sent.get(requestId) ?? []).map(sentText),
      ...(this.#failed.get(requestId) ?? []).map(outcome => `FAILED ${outcome.reason}`),
      ...(this.#deadLetters.get(requestId) ?? []).map(code => `dead letter ${code}`),
      times,
      ...(notBeforeMs === null ? [] : [early ? 'too early' : 'not early']),
      ...callbacks
        .toSorted((left, right) => left.sequence - right.sequence)
        .map(each => `callback ${each.outcome}`),
    ].join(', ')
  }

  /** From the request to when the relay had the mail, milliseconds; undefined when it has none. */
  relayDelayMs(requestId: string, requestedAtMs: number): number | undefined {
    const [first] = this.#mails.get(requestId) ?? []
    return first === undefined ? undefined : first.receivedAtMs - requestedAtMs
  }
}

function sentText({ recipients, attempts }: EmailSent): string {
  const accepted = recipients.filter(each => each.status === 'ACCEPTED').length
  const part = accepted === recipients.length ? '' : ` to ${accepted} of ${recipients.length}`
  return `SENT${part}${attempts > 1 ? ` at try ${attempts}` : ''}`
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
