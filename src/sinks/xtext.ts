/** As a parameter of MAIL or RCPT may stand (RFC 3461 section 4): what is no printable ASCII, `+` and `=` in hexadecimal. */
export function xtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/gu, character =>
    [...Buffer.from(character)]
      .map(byte => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
}
