import type { EmailCallback, EmailFailed, EmailSent } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { ForeignAvro } from './foreign-avro.ts'
import type { CommittedRecord } from './foreign-client.ts'

/** One record in `email.sent` or `email.failed`, in the order in which its partition holds them. */
export type End =
  | { readonly kind: 'SENT'; readonly record: EmailSent }
  | { readonly kind: 'FAILED'; readonly record: EmailFailed }

/** Topics that other teams read. */
export const outcomeTopics: readonly string[] = [
  topicNames.dedup,
  topicNames.sent,
  topicNames.failed,
  topicNames.callback,
  topicNames.deadLetter,
]

/** What subscribers have been told, by request id. */
export class Outcomes {
  readonly deadLetters: CommittedRecord[] = []
  readonly #sent: ForeignAvro<EmailSent>
  readonly #failed: ForeignAvro<EmailFailed>
  readonly #callback: ForeignAvro<EmailCallback>
  readonly #ends = new Map<string, End[]>()
  readonly #callbacks = new Map<string, EmailCallback[]>()
  readonly #accepted = new Map<string, CommittedRecord[]>()

  private constructor(
    sent: ForeignAvro<EmailSent>,
    failed: ForeignAvro<EmailFailed>,
    callback: ForeignAvro<EmailCallback>,
  ) {
    this.#sent = sent
    this.#failed = failed
    this.#callback = callback
  }

  static async open(registryUrl: string): Promise<Outcomes> {
    return new Outcomes(
      await ForeignAvro.open(registryUrl, 'email.sent'),
      await ForeignAvro.open(registryUrl, 'email.failed'),
      await ForeignAvro.open(registryUrl, 'email.callback'),
    )
  }

  add(from: CommittedRecord): void {
    const key = from.key?.toString() ?? ''
    const value = from.value ?? Buffer.alloc(0)
    if (from.topic === topicNames.sent)
      push(this.#ends, key, { kind: 'SENT', record: this.#sent.decode(value) })
    else if (from.topic === topicNames.failed)
      push(this.#ends, key, { kind: 'FAILED', record: this.#failed.decode(value) })
    else if (from.topic === topicNames.callback)
      push(this.#callbacks, key, this.#callback.decode(value))
    else if (from.topic === topicNames.dedup) push(this.#accepted, key, from)
    else this.deadLetters.push(from)
  }

  endsOf(requestId: string): readonly End[] {
    return this.#ends.get(requestId) ?? []
  }

  /** `SENT` or the reason of the failure, of each end. */
  endNamesOf(requestId: string): readonly string[] {
    return this.endsOf(requestId).map(end => (end.kind === 'SENT' ? 'SENT' : end.record.reason))
  }

  callbacksOf(requestId: string): readonly EmailCallback[] {
    return this.#callbacks.get(requestId) ?? []
  }

  /** Records in `email.dedup`. */
  acceptedOf(requestId: string): readonly CommittedRecord[] {
    return this.#accepted.get(requestId) ?? []
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}
