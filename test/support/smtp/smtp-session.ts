import type { Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { friendly, reply, type SmtpScript, type SmtpStep } from './smtp-script.ts'
import { testCertificate, testPrivateKey } from './test-certificate.ts'

export interface AcceptedMail {
  readonly connection: number
  readonly from: string
  readonly to: readonly string[]
  /** As received, dot-stuffing removed. */
  readonly data: string
}

const noSender = reply('503 5.5.1 MAIL first')

/** One connection to the scripted relay: a real SMTP conversation whose every answer the script decides. */
export class SmtpSession {
  readonly commands: string[] = []
  /** Every byte of bodies as it came, dots included. */
  wireBody = ''
  overTls = false
  readonly #script: SmtpScript
  readonly #number: number
  readonly #onAccepted: (mail: AcceptedMail) => void
  readonly #onProgress: () => void
  #socket: Socket
  #input = ''
  #body: string | null = null
  #from: string | null = null
  #inLogin = false
  #to: string[] = []
  /** It has been silent where it had to speak, or has hung up: what was sent ahead (PIPELINING) is not answered either. */
  #isMute = false

  constructor(
    socket: Socket,
    number: number,
    script: SmtpScript,
    events: { onAccepted: (mail: AcceptedMail) => void; onProgress: () => void },
  ) {
    this.#script = script
    this.#number = number
    this.#onAccepted = events.onAccepted
    this.#onProgress = events.onProgress
    this.#socket = socket
    this.overTls = socket instanceof TLSSocket
    this.#listen(socket)
    this.#do(script.greeting ?? friendly.greeting)
  }

  /** Says something out of turn. */
  do(step: SmtpStep): void {
    this.#isMute = false
    this.#do(step)
  }

  #listen(socket: Socket): void {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('error', () => undefined)
    socket.on('data', (chunk: string) => {
      this.#input += chunk
      this.#read()
      this.#onProgress()
    })
  }

  #read(): void {
    for (;;) {
      if (this.#body !== null) {
        if (!this.#readBody()) return
        continue
      }
      const end = this.#input.indexOf('\r\n')
      if (end < 0) return
      const line = this.#input.slice(0, end)
      this.#input = this.#input.slice(end + 2)
      this.commands.push(line)
      this.#command(line)
    }
  }

  #readBody(): boolean {
    const first = this.#body === ''
    this.#body += this.#input
    this.wireBody += this.#input
    this.#input = ''
    const body = this.#body ?? ''
    const end = body.startsWith('.\r\n') ? 0 : body.indexOf('\r\n.\r\n')
    if (end < 0) {
      if (first && body !== '') this.#onBodyBegins()
      return false
    }
    const terminatorLength = end === 0 ? 3 : 5
    this.#input = body.slice(end + terminatorLength)
    this.#body = null
    this.#dot(body.slice(0, end + (end === 0 ? 0 : 2)))
    return true
  }

  #dot(stuffed: string): void {
    this.commands.push('.')
    const data = stuffed.replace(/^\.(?=\.)/gm, '')
    const { dot = friendly.dot } = this.#script
    const step = typeof dot === 'function' ? dot(data) : dot
    // A relay that has said 250 has the mail, and so may one that hangs up before it says so.
    if (step.say === '' || step.say.startsWith('2')) {
      this.#onAccepted({ connection: this.#number, from: this.#from ?? '', to: this.#to, data })
    }
    this.#to = []
    this.#do(step)
  }

  #command(line: string): void {
    if (this.#inLogin) return this.#login(this.#script.authResponse?.(line) ?? friendly.auth)
    const verb = line.replace(/[ :].*/, '').toUpperCase()
    const address = /<(.*?)>/.exec(line)?.[1] ?? ''
    switch (verb) {
      case 'EHLO':
        return this.#ehlo()
      case 'STARTTLS':
        return this.#startTls()
      case 'AUTH':
        return this.#login(this.#script.auth ?? friendly.auth)
      case 'MAIL': {
        const { mail = friendly.mail } = this.#script
        const step = typeof mail === 'function' ? mail(address) : mail
        if (step.say.startsWith('2')) this.#from = address
        return this.#do(step)
      }
      case 'RCPT': {
        const { rcpt = this.#from === null ? noSender : friendly.rcpt } = this.#script
        const step = typeof rcpt === 'function' ? rcpt(address) : rcpt
        if (step.say.startsWith('2')) this.#to.push(address)
        return this.#do(step)
      }
      case 'DATA':
        return this.#startData()
      case 'RSET':
        this.#from = null
        this.#to = []
        return this.#do(this.#script.rset ?? friendly.rset)
      case 'QUIT':
        return this.#do({ say: '221 2.0.0 bye\r\n', hangUp: true })
      default:
        return this.#do(reply('502 5.5.2 unknown command'))
    }
  }

  #ehlo(): void {
    const { ehlo = friendly.ehlo } = this.#script
    if ('say' in ehlo) return this.#do(ehlo)
    const offered = ehlo.filter(extension => extension !== 'STARTTLS' || !this.overTls)
    const lines = ['relay.test', ...offered]
    this.#do(reply(...lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`)))
  }

  #login(step: SmtpStep): void {
    this.#inLogin = step.say.startsWith('334')
    this.#do(step)
  }

  #startTls(): void {
    const step = this.#script.starttls ?? friendly.starttls
    this.#do(step)
    if (!step.say.startsWith('220') || step.hangUp) return
    const plain = this.#socket
    plain.removeAllListeners('data')
    const secureContext = createSecureContext({ cert: testCertificate, key: testPrivateKey })
    this.overTls = true
    this.#listen(new TLSSocket(plain, { isServer: true, secureContext }))
  }

  #startData(): void {
    const step =
      this.#to.length === 0 && this.#script.data === undefined
        ? reply('554 5.5.1 no valid recipients')
        : (this.#script.data ?? friendly.data)
    if (step.say.startsWith('354') && !step.hangUp) this.#body = ''
    this.#do(step)
  }

  #onBodyBegins(): void {
    if (this.#script.stopsReading === true) this.#socket.pause()
    if (this.#script.body !== undefined) this.#do(this.#script.body)
  }

  #do(step: SmtpStep): void {
    if (this.#isMute) return
    this.#isMute = step.hangUp || step.say === ''
    if (step.say !== '') this.#socket.write(step.say)
    if (step.hangUp) this.#socket.end()
    this.#onProgress()
  }
}
