const lineLengthMax = 76
/** A line is broken behind the last of these among so many characters at its end. */
const marginLength = 25

const equals = 0x3d
const carriageReturn = 0x0d
const lineFeed = 0x0a

/** Bytes that literal text takes at most with its soft line breaks of three: only before the last line may one be shorter than a margin leaves it. */
export function softLengthMax(text: string): number {
  return text.length + 3 * (1 + Math.floor(text.length / (lineLengthMax - marginLength)))
}

/**
 * Writes literal text (see `TextSurvey`) with soft line breaks where nodemailer's `wrap` has them, without an expression for each line.
 * Returns where it ends.
 */
export function writeSoftLines(text: string, bytes: Uint8Array, from: number): number {
  let at = from
  const isShort = text.length <= lineLengthMax
  for (let start = 0; start < text.length;) {
    const longest = Math.min(start + lineLengthMax, text.length)
    let end = start
    for (let code = 0; end < longest && code !== lineFeed; end += 1) {
      code = text.charCodeAt(end)
      bytes[at++] = code
    }
    const softEnd = isShort || bytes[at - 1] === lineFeed ? end : softEndBefore(text, start, end)
    at -= end - softEnd
    end = softEnd
    if (end < text.length && bytes[at - 1] !== lineFeed) {
      bytes[at++] = equals
      bytes[at++] = carriageReturn
      bytes[at++] = lineFeed
    }
    start = end
  }
  return at
}

/** Where a line that may go to `longest` ends, as the last line may too: the break takes a place of its own. */
function softEndBefore(text: string, start: number, longest: number): number {
  let end = longest
  if (longest - start > lineLengthMax - marginLength)
    for (let index = longest - 1; index >= longest - marginLength; index -= 1)
      if (isBreakable(text.charCodeAt(index))) {
        end = index + 1
        break
      }
  return end < text.length && end - start === lineLengthMax ? end - 1 : end
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
