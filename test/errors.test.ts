import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { describeError, errorCodes, StreamsError } from '../src/errors.ts'

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')

test('docs/errors.md has one heading for every error code and no other', () => {
  const documented = [...page.matchAll(/^## `([A-Z_]+)`$/gm)].flatMap(match => match[1] ?? [])

  expect(documented.toSorted()).toEqual(errorCodes.toSorted())
})

test('docs/errors.md names the recovery of every code', () => {
  const documented = [...page.matchAll(/^## `([A-Z_]+)`\n\nRecovery: `([a-z]+)`/gm)].map(match => [
    match[1],
    match[2],
  ])

  expect(Object.fromEntries(documented)).toEqual(
    Object.fromEntries(errorCodes.map(code => [code, new StreamsError(code, '').recovery])),
  )
})

test('a cause is told once, whether the message has it already or not', () => {
  const refused = new Error('connect ECONNREFUSED')
  const quoting = new Error('no connection: connect ECONNREFUSED', { cause: refused })
  const plain = new Error('no connection', { cause: refused })

  expect(describeError(quoting)).toBe('no connection: connect ECONNREFUSED')
  expect(describeError(plain)).toBe('no connection (connect ECONNREFUSED)')
})
