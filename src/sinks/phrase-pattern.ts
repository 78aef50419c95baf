import { describeError, StreamsError } from '../errors.ts'

/**
 * Words to look for in a reply, in either case: a space stands for spaces, hyphens and underscores, `…` for up to 40 characters; each
 * word may go on, so that `throttl` finds `throttling`. Between slashes it is a regular expression. Throws CONFIGURATION_INVALID.
 */
export function phrasePattern(phrase: string): RegExp {
  const own = /^\/(.+)\/$/s.exec(phrase)?.[1]
  if (own !== undefined) return regularExpression(own)
  if (!/[\p{L}\p{N}]/u.test(phrase))
    throw new StreamsError('CONFIGURATION_INVALID', `${JSON.stringify(phrase)} has no word in it`)
  const parts = phrase.split('…').map(part =>
    part
      .trim()
      .split(/\s+/)
      .map(word => (/^\w/.test(word) ? String.raw`\b` : '') + escaped(word))
      .join(String.raw`[\s_-]+`),
  )
  return new RegExp(parts.join('.{0,40}?'), 'i')
}

function escaped(word: string): string {
  return word.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
}

function regularExpression(source: string): RegExp {
  try {
    return new RegExp(source, 'iu')
  } catch (error) {
    throw new StreamsError('CONFIGURATION_INVALID', describeError(error))
  }
}
