import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfigurationFile } from '../../src/cli/configuration-file.ts'
import { durationMs, secretText, textLike, unitsMs, wholeNumber } from '../../src/cli/parsers.ts'
import { listOf, mapOf, object, optional, plain, structured } from '../../src/cli/structure.ts'

const name = textLike('NAME', /^[a-z]+$/, 'a name in small letters')
const rule = object({
  host: plain(name),
  idleTimeout: optional(plain(durationMs({ min: unitsMs.s, max: unitsMs.h })), 60_000),
  ports: optional(listOf(plain(wholeNumber({ min: 1, max: 9 })), { max: 2 })),
  password: optional(plain(secretText)),
})
const rules = structured(mapOf(name, rule))

const read = (value: unknown): unknown => rules.read!(JSON.stringify(value), 'the file: rules')

describe('a structured key', () => {
  test('reads maps, lists and plain values; what is left out gets its fallback', () => {
    const value = read({ main: { host: 'relay', 'idle-timeout': '5m', ports: [1, '2'] } })

    expect(value).toEqual(
      new Map([
        ['main', { host: 'relay', idleTimeout: 300_000, ports: [1, 2], password: undefined }],
      ]),
    )
  })

  test('reads keys in camel case as well', () => {
    expect(read({ main: { host: 'relay', idleTimeout: '1s' } })).toEqual(
      new Map([['main', expect.objectContaining({ idleTimeout: 1000 })]]),
    )
  })

  test.each([
    [{ Main: { host: 'a' } }, /rules: "Main" is not a name in small letters/],
    [{ main: {} }, /rules\.main\.host is missing; it has to be a name in small letters/],
    [{ main: { hots: 'a' } }, /rules\.main\.hots is no known key \(did you mean host\?\)/],
    [{ main: { host: 'a', color: 1 } }, /allowed are host, idle-timeout, ports, password/],
    [{ main: { host: 'A' } }, /rules\.main\.host: "A" is not a name in small letters/],
    [{ main: { host: {} } }, /rules\.main\.host: has to be a name in small letters/],
    [{ main: { host: 'a', ports: [1, 10] } }, /rules\.main\.ports\[1\]: "10" is not a whole/],
    [{ main: { host: 'a', ports: 1 } }, /rules\.main\.ports: has to be a list of at most 2/],
    [{ main: { host: 'a', ports: [1, 2, 3] } }, /rules\.main\.ports: has to be a list/],
    [{ main: { host: 'a', idleTimeout: '1s', 'idle-timeout': '1s' } }, /stands there twice/],
    [{ main: 'a' }, /rules\.main: has to be a map with host, idle-timeout, ports, password/],
    [[], /rules: has to be a map from a name/],
  ])('refuses %j and names the place', (value, message) => {
    expect(() => read(value)).toThrow(message)
  })

  test('shows no secret', () => {
    expect(() => read({ main: { host: 'a', password: '' } })).toThrow(
      /rules\.main\.password: the value is not a secret/,
    )
  })

  test('in a variable it is JSON', () => {
    expect(() => rules.read!('{', 'MAILONCE_RULES')).toThrow(/^MAILONCE_RULES: is no valid JSON of/)
  })
})

describe('the configuration file', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mailonce-structure-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('an unknown section is refused as before', async () => {
    const file = join(directory, 'mailonce.yaml')
    await writeFile(file, 'rulez:\n  main: { host: a }\n')

    await expect(readConfigurationFile(file)).rejects.toThrow(/rulez is no known key/)
  })
})
