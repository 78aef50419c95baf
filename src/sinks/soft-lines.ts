const lineLengthMax = 76
/** A line is broken behind the last of these among so many characters at its end. */
const marginLength = 25

/** Nothing that quoted-printable would write otherwise (RFC 2045 section 6.7), and no line ends in a space. */
const literal = /^[\t\r\n\x20-\x3c\x3e-\x7e]*$/
const spaceAtEnd = /[ \t](?:\r|$)/

/** True of text, its lines ended by CR LF, that is its own quoted-printable encoding but for the length of its lines. */
export function isLiteral(text: string): boolean {
  return literal.test(text) && !spaceAtEnd.test(text)
}

/** Breaks the lines of literal text by soft line breaks, where nodemailer's `wrap` breaks them, without an expression for each of them. */
export function softLines(text: string): string {
  if (text.length <= lineLengthMax) return text
  let wrapped = ''
  let hardEnd = text.indexOf('\r\n')
  for (let start = 0; start < text.length;) {
    if (hardEnd >= 0 && hardEnd < start) hardEnd = text.indexOf('\r\n', start)
    const longest = Math.min(start + lineLengthMax, text.length)
    if (hardEnd >= 0 && hardEnd + 2 <= longest) {
      wrapped += text.slice(start, hardEnd + 2)
      start = hardEnd + 2
      continue
    }
    const broken = breakBefore(text, start, longest)
    // The break takes a place of its own.
    const end = broken < text.length && broken - start === lineLengthMax ? broken - 1 : broken
    wrapped += end < text.length ? `${text.slice(start, end)}=\r\n` : text.slice(start)
    start = end
  }
  return wrapped
}

function breakBefore(text: string, start: number, longest: number): number {
  if (longest - start <= lineLengthMax - marginLength) return longest
  for (let index = longest - 1; index >= longest - marginLength; index -= 1)
    if (isBreakable(text.charCodeAt(index))) return index + 1
  return longest
}

/** Space, tab, and `.`, `,`, `!`, `?`. */
function isBreakable(code: number): boolean {
  return (
    code === 0x20 ||
    code === 0x2e ||
    code === 0x2c ||
    code === 0x09 ||
    code === 0x21 ||
    code === 0x3f
  )
}
