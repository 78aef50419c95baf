/**
 * What the scripted relay does at one point of a session: says something, is silent, and perhaps hangs up after it. The text goes out as
 * it stands, so that half a line can be said too.
 */
export interface SmtpStep {
  readonly say: string
  readonly hangUp: boolean
}

export const reply = (...lines: readonly string[]): SmtpStep => ({
  say: lines.map(line => `${line}\r\n`).join(''),
  hangUp: false,
})

export const replyAndHangUp = (line: string): SmtpStep => ({ say: `${line}\r\n`, hangUp: true })

export const halfReplyAndHangUp = (text: string): SmtpStep => ({ say: text, hangUp: true })

export const silence: SmtpStep = { say: '', hangUp: false }

export const hangUp: SmtpStep = { say: '', hangUp: true }

/** The answers of one session; what is left out is what a friendly relay says. */
export interface SmtpScript {
  readonly greeting?: SmtpStep
  /** The extensions that EHLO lists, such as `SIZE 1000`; or a step in place of the whole answer. */
  readonly ehlo?: readonly string[] | SmtpStep
  readonly starttls?: SmtpStep
  readonly auth?: SmtpStep
  /** To what the client says after a 334; another 334 asks for more. */
  readonly authResponse?: (response: string) => SmtpStep
  readonly mail?: SmtpStep | ((sender: string) => SmtpStep)
  readonly rcpt?: SmtpStep | ((recipient: string) => SmtpStep)
  readonly data?: SmtpStep
  /** Done when the first bytes of a body have come, before its dot. */
  readonly body?: SmtpStep
  readonly dot?: SmtpStep | ((message: string) => SmtpStep)
  readonly rset?: SmtpStep
  /** Takes no more bytes after the first ones of a body. */
  readonly stopsReading?: boolean
}

export const friendly = {
  greeting: reply('220 relay.test ESMTP'),
  ehlo: ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 10000000'],
  starttls: reply('220 2.0.0 ready'),
  auth: reply('235 2.7.0 welcome'),
  mail: reply('250 2.1.0 ok'),
  rcpt: reply('250 2.1.5 ok'),
  data: reply('354 go ahead'),
  dot: reply('250 2.0.0 queued'),
  rset: reply('250 2.0.0 flushed'),
} as const satisfies SmtpScript
