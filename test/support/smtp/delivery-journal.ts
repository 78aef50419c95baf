import { hash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

export interface Delivery {
  /** Wall clock, milliseconds. */
  readonly atMs: number
  readonly messageId: string
  readonly from: string
  readonly recipients: readonly string[]
  /** SHA-256 of the message before dot-stuffing, hex. */
  readonly contentHash: string
  /** False when the connection was cut before the reply: the sender cannot know of this delivery. */
  readonly replied: boolean
}

export interface DeliveryCounts {
  /** Mails, each with all its recipients. */
  readonly accepted: number
  /** Distinct pairs of Message-ID and recipient. */
  readonly delivered: number
  /** Pairs that were delivered more than once, `Message-ID recipient`. */
  readonly repeated: readonly string[]
  /** Message-IDs that came with different bytes. */
  readonly changed: readonly string[]
}

/** Every mail that the counting relay has taken: what was mailed twice, and with the requests at hand what was lost. */
export class DeliveryJournal {
  readonly deliveries: Delivery[] = []
  readonly #perTarget = new Map<string, number>()
  readonly #contentOf = new Map<string, string>()
  readonly #changed = new Set<string>()
  readonly #file: string | undefined

  /** With a file it outlives its process, however that ends. */
  constructor(file?: string) {
    this.#file = file
    if (file === undefined || !existsSync(file)) return
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
    for (const line of lines) this.#note(JSON.parse(line) as Delivery)
  }

  /** @param data the message before dot-stuffing, one character a byte */
  add(mail: { from: string; recipients: readonly string[]; data: string; replied: boolean }): void {
    const { from, recipients, data, replied } = mail
    const headerEnd = data.indexOf('\r\n\r\n')
    const header = headerEnd < 0 ? data : data.slice(0, headerEnd)
    const messageId = /^message-id:\s*(<[^>]*>)/im.exec(header)?.[1] ?? ''
    const contentHash = hash('sha256', Buffer.from(data, 'latin1'), 'hex')
    const delivery = { atMs: Date.now(), messageId, from, recipients, contentHash, replied }
    if (this.#file !== undefined) appendFileSync(this.#file, `${JSON.stringify(delivery)}\n`)
    this.#note(delivery)
  }

  #note(delivery: Delivery): void {
    const { messageId, recipients, contentHash } = delivery
    this.deliveries.push(delivery)
    for (const recipient of recipients) {
      const pair = `${messageId} ${recipient}`
      this.#perTarget.set(pair, (this.#perTarget.get(pair) ?? 0) + 1)
    }
    const known = this.#contentOf.get(messageId)
    if (known === undefined) this.#contentOf.set(messageId, contentHash)
    else if (known !== contentHash) this.#changed.add(messageId)
  }

  counts(): DeliveryCounts {
    const repeated = [...this.#perTarget].filter(([, times]) => times > 1).map(([pair]) => pair)
    return {
      accepted: this.deliveries.length,
      delivered: this.#perTarget.size,
      repeated,
      changed: [...this.#changed],
    }
  }

  clear(): void {
    this.deliveries.length = 0
    this.#perTarget.clear()
    this.#contentOf.clear()
    this.#changed.clear()
  }
}
