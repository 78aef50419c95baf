import { expect, test } from 'vitest'
import { retryClasses } from '../../src/cli/retry-classes.ts'
import { structured } from '../../src/cli/structure.ts'

const read = (value: unknown): unknown =>
  structured(retryClasses).read!(JSON.stringify(value), 'mailonce.yaml: retry-classes')

test('reads rules as they stand in a file', () => {
  const rules = read([
    { code: 554, text: 'blocked using', class: 'temporary' },
    { phase: ['rcpt', 'dot'], code: '45z,55z', enhanced: '5.7.x', class: 'throttled' },
    { text: ['busy, very busy', '/S\\d+/'], class: 'relay' },
  ])

  expect(rules).toEqual([
    { codes: ['554'], text: ['blocked using'], class: 'temporary' },
    { phases: ['rcpt', 'dot'], codes: ['45z', '55z'], enhanced: ['5.7.x'], class: 'throttled' },
    { text: ['busy, very busy', '/S\\d+/'], class: 'relay' },
  ])
})

test.each([
  [{ code: 250, class: 'temporary' }, /retry-classes\[0\]\.code: "250" is not codes such as 550/],
  [{ code: '5', class: 'temporary' }, /retry-classes\[0\]\.code/],
  [{ enhanced: '5.7', class: 'temporary' }, /\[0\]\.enhanced: "5.7" is not enhanced codes/],
  [{ enhanced: '2.7.1', class: 'temporary' }, /\[0\]\.enhanced/],
  [{ phase: 'greeting', class: 'relay' }, /\[0\]\.phase: "greeting" is not any of mail, rcpt/],
  [{ text: '/(/', class: 'relay' }, /\[0\]\.text: Invalid regular expression/],
  [{ text: ['fine', '…'], class: 'relay' }, /\[0\]\.text\[1\]: "…" has no word in it/],
  [{ text: [], class: 'relay' }, /\[0\]\.text: has to be words to find/],
  [{ text: 5, class: 'relay' }, /\[0\]\.text: has to be words to find/],
  [{ code: 550 }, /\[0\]\.class is missing; it has to be permanent or temporary/],
  [{ code: 550, class: 'soft' }, /\[0\]\.class: "soft" is not permanent or temporary/],
  [{ class: 'relay' }, /\[0\]: fits every reply; it needs a phase, a code/],
  [{ codes: 550, class: 'relay' }, /\[0\]\.codes is no known key \(did you mean code\?\)/],
])('refuses %j and names the place', (rule, message) => {
  expect(() => read([rule])).toThrow(message)
})
