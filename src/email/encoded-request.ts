import type { Serde, ValueLayout } from '../serde.ts'
import { AvroWalk } from './avro-walk.ts'
import { identityOf } from './identity.ts'
import { isPlainMailbox } from './mailbox.ts'
import { recipientsMax } from './recipients.ts'
import type { Attachment, Callback, EmailRequested, Unsubscribe } from './records.ts'
import type { RequestLayout } from './request-layout.ts'

const walk = new AvroWalk()
const requestIdBytesMax = 128

/** Of the request before: requests in a row have mostly one source, and then one text for it. */
let lastSource = ''

/**
 * A request as it was written, of which no more is decoded than somebody asks for: the dedup stage asks for its name and its time, and
 * whether there is anything to complain of, and passes the bytes on.
 */
export class EncodedRequest implements EmailRequested {
  readonly requestId: string
  readonly source: string
  readonly requestedAt: number
  /** `invalidities` has nothing to say but about its time. False for one that has to be looked at. */
  readonly isSound: boolean
  readonly #bytes: Buffer
  readonly #serde: Serde<EmailRequested>
  /** 0 where the content's bytes are not what encoding the decoded content gives. */
  readonly #contentStart: number
  readonly #contentEnd: number
  readonly #hasUnsubscribe: boolean
  readonly #hasCallback: boolean
  #identity: string | undefined
  #decoded: EmailRequested | undefined

  private constructor(
    bytes: Buffer,
    layout: RequestLayout,
    start: number,
    serde: Serde<EmailRequested>,
  ) {
    this.#bytes = bytes
    this.#serde = serde
    walk.begin(bytes, start)
    let [requestId, source] = ['', '']
    let isSound = true
    const { texts, rest } = layout
    for (let index = 0; index < texts.length; index += 1) {
      const isClean = walk.line()
      if (texts[index] === 'requestId') {
        requestId = textOf(bytes)
        isSound &&= isClean && requestId !== '' && walk.textBytes <= requestIdBytesMax
      } else if (texts[index] === 'source') {
        source = sourceOf(bytes)
        isSound &&= isClean && source !== ''
      }
    }
    this.requestId = requestId
    this.source = source

    // What stands in front is not hashed.
    walk.isExact = true
    const contentStart = walk.at
    isSound = walkContent(bytes) && isSound
    this.#contentStart = walk.isExact && !walk.failed ? contentStart : 0
    this.#contentEnd = walk.at

    let [requestedAt, notBefore, expiresAt] = [0, -Infinity, Infinity]
    let [hasUnsubscribe, hasCallback] = [false, false]
    for (let index = 0; index < rest.length; index += 1) {
      const { name, skip } = rest[index]!
      if (name === 'requestedAt') requestedAt = walk.long()
      else if (name === 'notBefore') notBefore = walk.isPresent() ? walk.long() : -Infinity
      else if (name === 'expiresAt') expiresAt = walk.isPresent() ? walk.long() : Infinity
      else {
        if (name === 'unsubscribe') hasUnsubscribe = bytes[walk.at] !== 0
        else if (name === 'callback') hasCallback = bytes[walk.at] !== 0
        skip(walk)
      }
    }
    this.requestedAt = requestedAt
    this.#hasUnsubscribe = hasUnsubscribe
    this.#hasCallback = hasCallback
    this.isSound = isSound && !hasUnsubscribe && notBefore < expiresAt
  }

  /** Undefined where the bytes are in any other form than our encoder's: they are the codec's to judge. */
  static read(
    bytes: Buffer,
    layout: RequestLayout,
    { start }: ValueLayout,
    serde: Serde<EmailRequested>,
  ): EncodedRequest | undefined {
    const request = new EncodedRequest(bytes, layout, start, serde)
    return walk.end() ? request : undefined
  }

  /** See `identityOf`. One object for all who ask, so that maps find it by that. */
  get identity(): string {
    return (this.#identity ??= identityOf(this))
  }

  /**
   * The bytes of the fields of the first version that make the mail, where encoding the decoded ones would give the same, so
   * that a hash of them is the content's:
   *
   * 1. The writer's schema has those fields in order and in one piece (`requestLayout`).
   * 2. Every length, count and branch has the one form that our encoder writes (`AvroWalk`).
   * 3. Every text is UTF-8: of what is none, others bytes would be written.
   * 4. There are no headers: they would have to be in order, and each only once.
   */
  get encodedContent(): Buffer | undefined {
    return this.#contentStart === 0
      ? undefined
      : this.#bytes.subarray(this.#contentStart, this.#contentEnd)
  }

  get #all(): EmailRequested {
    return (this.#decoded ??= this.#serde.deserialize(this.#bytes))
  }

  get to(): readonly string[] {
    return this.#all.to
  }

  get cc(): readonly string[] {
    return this.#all.cc
  }

  get bcc(): readonly string[] {
    return this.#all.bcc
  }

  get from(): string | null {
    return this.#all.from
  }

  get replyTo(): string | null {
    return this.#all.replyTo
  }

  get subject(): string {
    return this.#all.subject
  }

  get text(): string | null {
    return this.#all.text
  }

  get html(): string | null {
    return this.#all.html
  }

  get headers(): EmailRequested['headers'] {
    return this.#all.headers
  }

  get attachments(): readonly Attachment[] {
    return this.#all.attachments
  }

  get unsubscribe(): Unsubscribe | null {
    return this.#hasUnsubscribe ? this.#all.unsubscribe : null
  }

  get priority(): EmailRequested['priority'] {
    return this.#all.priority
  }

  get notBefore(): number | null {
    return this.#all.notBefore
  }

  get expiresAt(): number | null {
    return this.#all.expiresAt
  }

  get inDoubt(): EmailRequested['inDoubt'] {
    return this.#all.inDoubt
  }

  get callback(): Callback | null {
    return this.#hasCallback ? this.#all.callback : null
  }
}

/** False when there is something to complain of, or may be. A content with headers is not exact. */
function walkContent(bytes: Buffer): boolean {
  let isSound = true
  let recipients = 0
  for (let lists = 0; lists < 3; lists += 1) {
    const count = walk.beginList()
    recipients += count
    for (let left = count; left > 0 && !walk.failed; left -= 1) {
      if (!walkMailbox(bytes)) isSound = false
    }
    walk.endList(count)
  }
  if (recipients === 0 || recipients > recipientsMax) isSound = false
  // From and replyTo.
  if (walk.isPresent() && !walkMailbox(bytes)) isSound = false
  if (walk.isPresent() && !walkMailbox(bytes)) isSound = false
  if (!walk.line()) isSound = false
  const bodies = walkBody() + walkBody()
  const headers = walk.beginList()
  for (let left = headers; left > 0 && !walk.failed; left -= 1) {
    walk.bytes()
    walk.bytes()
  }
  walk.endList(headers)
  if (headers > 0) walk.isExact = isSound = false
  const attachments = walk.beginList()
  for (let left = attachments; left > 0 && !walk.failed; left -= 1) {
    walk.text()
    walk.text()
    walk.bytes()
  }
  walk.endList(attachments)
  return isSound && bodies > 0 && attachments === 0
}

function walkMailbox(bytes: Buffer): boolean {
  walk.text()
  return isPlainMailbox(bytes, walk.textStart, walk.at)
}

/** Returns its bytes. */
function walkBody(): number {
  if (!walk.isPresent()) return 0
  walk.text()
  return walk.textBytes
}

/** The text walked over last. */
function textOf(bytes: Buffer): string {
  return bytes.toString('utf8', walk.textStart, walk.at)
}

function sourceOf(bytes: Buffer): string {
  if (!isLastSource(bytes)) lastSource = textOf(bytes)
  return lastSource
}

/** Of ASCII alone; of other texts each has its own. */
function isLastSource(bytes: Buffer): boolean {
  if (walk.textBytes !== lastSource.length) return false
  for (let index = 0; index < lastSource.length; index += 1) {
    const unit = lastSource.charCodeAt(index)
    if (unit >= 0x80 || bytes[walk.textStart + index] !== unit) return false
  }
  return true
}
