import type { Socket } from 'node:net'
import type { DeliveryJournal } from './delivery-journal.ts'
import type { FaultDice } from './smtp-faults.ts'

/**
 * `normal`; `refuse`: 421 to everything; `drop`: every connection is cut at once; `silent`: connections are taken and never
 * answered. The last three are outages.
 */
export type RelayMode = 'normal' | 'refuse' | 'drop' | 'silent'

export interface CountingRelay {
  readonly mode: RelayMode
  readonly journal: DeliveryJournal
  readonly dice: FaultDice
}

const greeting = '220 counting.test ESMTP\r\n'
const closing = '421 4.3.2 counting.test is closing\r\n'
const endOfMail = '\r\n.\r\n'
const simpleReplies: Readonly<Record<string, string>> = {
  EHLO: '250-counting.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n',
  HELO: '250 counting.test\r\n',
  NOOP: '250 2.0.0 ok\r\n',
}

/** One connection, as fast as a sink can be: it reads bytes as latin1 text and answers what arrived together, together. */
export class CountingSmtpSession {
  readonly #socket: Socket
  readonly #relay: CountingRelay
  #input = ''
  #searchFrom = 0
  #inMail = false
  #dropsBeforeDot = false
  #from = ''
  #recipients: string[] = []
  /** Of the reply that comes next. */
  #slowMs = 0

  constructor(socket: Socket, relay: CountingRelay) {
    this.#socket = socket
    this.#relay = relay
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('error', () => undefined)
    if (relay.mode === 'refuse') {
      socket.end(closing)
    } else if (relay.mode === 'drop') {
      socket.destroy()
    } else {
      socket.on('data', (chunk: string) => this.#onData(chunk))
      if (relay.mode === 'normal') this.#say(greeting)
    }
  }

  #onData(chunk: string): void {
    if (this.#relay.mode === 'silent') return
    if (this.#relay.mode === 'refuse' && !this.#inMail) {
      this.#socket.end(closing)
      return
    }
    this.#input += chunk
    let answer = ''
    for (;;) {
      const next = this.#inMail ? this.#mail() : this.#command()
      if (next === undefined) break
      answer += next
    }
    if (this.#inMail && this.#dropsBeforeDot && this.#input !== '') this.#socket.destroy()
    if (answer !== '') this.#say(answer)
  }

  #command(): string | undefined {
    const end = this.#input.indexOf('\r\n')
    if (end < 0) return undefined
    const line = this.#input.slice(0, end)
    this.#input = this.#input.slice(end + 2)
    const verb = line.slice(0, 4).toUpperCase()
    switch (verb) {
      case 'MAIL':
        this.#from = addressIn(line)
        this.#recipients = []
        return '250 2.1.0 ok\r\n'
      case 'RCPT': {
        const recipient = addressIn(line)
        const reply = this.#relay.dice.recipientReply(recipient)
        this.#slowMs = Math.max(this.#slowMs, this.#relay.dice.recipientDelayMs(recipient))
        if (reply.startsWith('250')) this.#recipients.push(recipient)
        return reply
      }
      case 'DATA':
        if (this.#recipients.length === 0) return '554 5.5.1 no valid recipients\r\n'
        this.#inMail = true
        this.#dropsBeforeDot = this.#relay.dice.dropsBeforeDot()
        // A mail without a single line ends in the very next dot: the line break before it is ours.
        this.#input = `\r\n${this.#input}`
        this.#searchFrom = 0
        return '354 go ahead\r\n'
      case 'RSET':
        this.#recipients = []
        return '250 2.0.0 ok\r\n'
      case 'QUIT':
        this.#socket.end('221 2.0.0 bye\r\n')
        return undefined
      default:
        return simpleReplies[verb] ?? '502 5.5.2 unknown command\r\n'
    }
  }

  #mail(): string | undefined {
    if (this.#dropsBeforeDot) return undefined
    const end = this.#input.indexOf(endOfMail, this.#searchFrom)
    if (end < 0) {
      // The end may lie across two chunks.
      this.#searchFrom = Math.max(0, this.#input.length - endOfMail.length)
      return undefined
    }
    const data = this.#input.slice(2, end + 2).replace(/^\.(?=.)/gm, '')
    this.#input = this.#input.slice(end + endOfMail.length)
    this.#inMail = false
    return this.#dot(data)
  }

  #dot(data: string): string {
    const fate = this.#relay.dice.dotFate()
    if (fate === 'defer') return '451 4.3.0 try again later\r\n'
    if (fate !== 'drop') {
      const replied = fate === 'accept'
      this.#relay.journal.add({ from: this.#from, recipients: this.#recipients, data, replied })
    }
    this.#recipients = []
    if (fate === 'accept') return '250 2.0.0 queued\r\n'
    this.#socket.destroy()
    return ''
  }

  #say(text: string): void {
    const delayMs = this.#relay.dice.delayMs + this.#slowMs
    this.#slowMs = 0
    if (delayMs === 0) this.#socket.write(text)
    else setTimeout(() => this.#socket.writable && this.#socket.write(text), delayMs)
  }
}

function addressIn(line: string): string {
  const address = line.slice(line.indexOf('<') + 1, line.indexOf('>'))
  return Buffer.from(address, 'latin1').toString('utf8')
}
