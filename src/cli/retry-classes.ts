import { describeError, StreamsError } from '../errors.ts'
import { phrasePattern } from '../sinks/phrase-pattern.ts'
import { replyClasses, replyPhases, type ReplyRule } from '../sinks/reply-rule.ts'
import { oneOf, type Parser } from './parsers.ts'
import { listOf, object, optional, plain, type Shape } from './structure.ts'

/** Rules in one configuration: more would be a mistake. */
const rulesMax = 200

const phases = someOf('PHASE', `any of ${replyPhases.join(', ')}`, text =>
  replyPhases.find(phase => phase === text),
)
const codes = someOf('CODE', 'codes such as 550 or 55z, from 400 to 599', text =>
  /^[45](?:\d|y)(?:\d|z)$/.test(text) ? text : undefined,
)
const enhanced = someOf('CODE', 'enhanced codes such as 5.7.1 or 4.7.x', text =>
  /^[45x]\.(?:\d{1,3}|x)\.(?:\d{1,3}|x)$/.test(text) ? text : undefined,
)

/** Words, or a regular expression between slashes; a comma belongs to them. */
const words: Shape<readonly string[]> = {
  allowed: 'words to find, a /regular expression/ or a list of such',
  read(value, place) {
    const list = typeof value === 'string' ? [value] : value
    if (!Array.isArray(list) || list.length === 0 || list.some(each => typeof each !== 'string'))
      throw new StreamsError('CONFIGURATION_INVALID', `${place}: has to be ${words.allowed}`)
    return list.map((each: string, index) => {
      checkPhrase(each, typeof value === 'string' ? place : `${place}[${index}]`)
      return each
    })
  },
}

// The fallbacks are said for the compiler, which would take them for `unknown`.
const rule = object({
  phase: optional(plain(phases), undefined),
  code: optional(plain(codes), undefined),
  enhanced: optional(plain(enhanced), undefined),
  text: optional(words, undefined),
  class: plain(oneOf(...replyClasses)),
})

/** Rules of an operator for the replies of a relay: they come before the built-in ones. */
export const retryClasses: Shape<readonly ReplyRule[]> = listOf(
  {
    allowed: rule.allowed,
    read(value, place): ReplyRule {
      const { phase, code, enhanced: status, text, class: meant } = rule.read(value, place)
      if (phase === undefined && code === undefined && status === undefined && text === undefined)
        throw new StreamsError(
          'CONFIGURATION_INVALID',
          `${place}: fits every reply; it needs a phase, a code, an enhanced code or a text`,
        )
      return {
        ...(phase === undefined ? {} : { phases: phase }),
        ...(code === undefined ? {} : { codes: code }),
        ...(status === undefined ? {} : { enhanced: status }),
        ...(text === undefined ? {} : { text }),
        class: meant,
      }
    },
  },
  { max: rulesMax },
)

function someOf<T>(
  placeholder: string,
  allowed: string,
  parse: (text: string) => T | undefined,
): Parser<readonly T[]> {
  return {
    placeholder,
    allowed,
    parse: text => {
      const all = text.split(',').map(each => parse(each.trim()))
      return all.every(each => each !== undefined) ? all : undefined
    },
  }
}

function checkPhrase(phrase: string, place: string): void {
  try {
    phrasePattern(phrase)
  } catch (error) {
    throw new StreamsError('CONFIGURATION_INVALID', `${place}: ${describeError(error)}`)
  }
}
