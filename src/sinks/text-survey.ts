/** What an encoding is chosen by. */
export interface TextSurvey {
  /** Every line ends by CR LF, and neither of them stands alone. */
  readonly hasCrlfOnly: boolean
  /** ASCII without control characters other than tab, CR and LF. */
  readonly isPlain: boolean
  /** Plain, and its own quoted-printable encoding (RFC 2045 section 6.7) but for the length of its lines: no `=`, no space at the end of one. */
  readonly isLiteral: boolean
  /** Characters of its longest line, the line end not counted. Where lines end by CR LF alone. */
  readonly longestLine: number
  /** It has more ASCII letters than what quoted-printable would write as `=XX`. */
  readonly isMoreLatin: boolean
}

const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d

/** Looks at each character once: this is most of what making a short mail takes. */
export function surveyText(text: string): TextSurvey {
  let hasCrlfOnly = true
  let isPlain = true
  let isLiteral = true
  let longestLine = 0
  let latin = 0
  let lineStart = 0
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (isLetter(code)) latin += 1
    else if (code === lineFeed) {
      if (text.charCodeAt(index - 1) !== carriageReturn) hasCrlfOnly = false
      longestLine = Math.max(longestLine, index - 1 - lineStart)
      lineStart = index + 1
    } else if (code === carriageReturn) {
      if (text.charCodeAt(index + 1) !== lineFeed) hasCrlfOnly = false
      if (isSpace(text.charCodeAt(index - 1))) isLiteral = false
    } else if (code >= 0x80 || (code < 0x20 && code !== tab)) {
      isPlain = false
      latin -= 1
    } else if (code === 0x3d || code === 0x7f) isLiteral = false
  }
  return {
    hasCrlfOnly,
    isPlain,
    isLiteral: isPlain && isLiteral && !isSpace(text.charCodeAt(text.length - 1)),
    longestLine: Math.max(longestLine, text.length - lineStart),
    isMoreLatin: latin > 0,
  }
}

function isLetter(code: number): boolean {
  const small = code | 0x20
  return small >= 0x61 && small <= 0x7a
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === tab
}
