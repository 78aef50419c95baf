/** What a reply to the final dot says (RFC 5321 section 4.2.1): 2yz, 4yz, 5yz, and everything that is none of them. */
export type ReplyKind = 'done' | 'deferred' | 'refused' | 'garbage'

export interface SmtpReply {
  readonly kind: ReplyKind
  /** 421: the relay closes the connection, whatever it was asked. */
  readonly closing: boolean
  /** Three digits; '' of garbage. */
  readonly code: string
  /** RFC 3463, such as `5.1.1`; '' where the relay says none. */
  readonly enhanced: string
  /** What it says beside them, in one line of at most 2048 characters. */
  readonly text: string
  /** Code, enhanced code and text in one line; see `oneLine`. */
  readonly line: string
}

const lineLengthMax = 512
/** Long enough for what an essay of a relay says in its middle. */
const textLengthMax = 2048
const kinds: Readonly<Record<string, ReplyKind>> = { 2: 'done', 4: 'deferred', 5: 'refused' }

/** What most replies are: nothing of it would be replaced. */
const plainLine = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/

/** What most replies are: one line, of which nothing would be replaced. */
const shortReply =
  /^([2-5]\d\d) (?:([245]\.\d{1,3}\.\d{1,3}) )?((?![245]\.\d{1,3}\.\d{1,3}(?: |$))[\x21-\x7e]+(?: [\x21-\x7e]+)*)$/

/** Text from outside in one line of at most 512 characters without control or format characters: it goes to logs, topics and terminals. */
export function oneLine(text: string, lengthMax = lineLengthMax): string {
  if (text.length <= lengthMax && plainLine.test(text)) return text
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length <= lengthMax ? line : line.slice(0, lengthMax).toWellFormed()
}

/**
 * Reads one reply, of one line or several. Every line must carry the same code: a reply that contradicts itself, or has
 * a code that is not three digits, is garbage, and after the final dot garbage is no answer.
 */
export function parseReply(raw: string): SmtpReply {
  const short = shortReply.exec(raw)
  if (short !== null && raw.length <= lineLengthMax) {
    const [, code = '', enhanced = '', text = ''] = short
    const kind = kinds[code.charAt(0)] ?? 'garbage'
    return { kind, closing: code === '421', code, enhanced, text, line: raw }
  }
  const lines = raw.split(/\r?\n/)
  const code = /^[2-5]\d\d(?=[ -]|$)/.exec(raw)?.[0]
  const agreed =
    code !== undefined && lines.every(line => /^\d{3}(?=[ -]|$)/.exec(line)?.[0] === code)
  if (!agreed) {
    const line = oneLine(raw)
    return { kind: 'garbage', closing: false, code: '', enhanced: '', text: line, line }
  }

  const texts = lines.map(line => line.slice(4).trim())
  const enhanced = /^[245]\.\d{1,3}\.\d{1,3}(?=\s|$)/.exec(texts[0] ?? '')?.[0] ?? ''
  const withoutCode = (text: string): string =>
    enhanced !== '' && text.startsWith(enhanced) ? text.slice(enhanced.length).trim() : text
  const text = oneLine(texts.map(withoutCode).join(' '), textLengthMax)
  const line = oneLine([code, enhanced, text].join(' '))
  const kind = kinds[code.charAt(0)] ?? 'garbage'
  return { kind, closing: code === '421', code, enhanced, text, line }
}
