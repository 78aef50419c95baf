import { encode as quotedPrintable, wrap } from 'nodemailer/lib/qp'

export type TextEncoding = '7bit' | 'quoted-printable' | 'base64'

/** Content-Transfer-Encoding (RFC 2045 section 6) of text; `7bit` leaves it as it is. */
export function encodeText(text: string, encoding: TextEncoding): string {
  if (encoding === 'quoted-printable') return wrap(quotedPrintable(text), 76)
  return encoding === 'base64' ? base64Lines(Buffer.from(text)) : text
}

/** Lines of 76 characters; the last one without a line end. */
export function base64Lines(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{76}(?!$)/g, '$&\r\n')
}
