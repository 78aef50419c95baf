import { isIdempotencyHeader } from '../sinks/idempotency.ts'
import { decimalNumber, durationMs, textLike, unitsMs, wholeNumber } from './parsers.ts'
import { relayShapes } from './relay-options.ts'
import { listOf, mapOf, object, optional, plain, structured } from './structure.ts'

const listMax = 1000

/** One of several relays. */
const relayShape = object({
  ...relayShapes,
  connections: optional(plain(wholeNumber({ min: 1, max: 1000 })), 20),
  weight: optional(plain(wholeNumber({ min: 0, max: 1000 })), 1),
  perSecond: optional(plain(decimalNumber({ min: 0.01, max: 100_000 })), Infinity),
  senderDomains: optional(
    listOf(plain(textLike('DOMAIN', /^[^\s@*]{1,253}$/, 'a domain such as example.com')), {
      max: listMax,
    }),
    [],
  ),
  tags: optional(
    listOf(plain(textLike('TAG', /^[!-~]{1,100}$/, 'a tag of 1 to 100 visible ASCII characters')), {
      max: listMax,
    }),
    [],
  ),
  idempotency: optional(
    object({
      header: plain({
        placeholder: 'HEADER',
        allowed: 'the name of a header that the message has no use of its own for',
        parse: text => (isIdempotencyHeader(text) ? text : undefined),
      }),
      ttl: plain(durationMs({ min: unitsMs.m, max: 30 * unitsMs.d })),
    }),
  ),
  formerly: optional(
    listOf(
      plain(textLike('HOST:PORT', /^[^\s@]+:\d{1,5}$/, 'HOST:PORT such as relay.example.com:25')),
      { max: listMax },
    ),
    [],
  ),
})

/** Several relays, by names of the user's own. */
export const relaySection = structured(
  mapOf(
    textLike(
      'NAME',
      /^[a-zA-Z0-9_-]{1,50}$/,
      'a name of 1 to 50 letters, digits, dashes or underscores',
    ),
    relayShape,
  ),
)
