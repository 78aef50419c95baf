import avro from 'avsc'
import { expect, test } from 'vitest'

import { skipOf } from '../../src/email/avro-skip.ts'
import { AvroWalk } from '../../src/email/avro-walk.ts'

interface RecordSchema {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly { readonly name: string; readonly type: unknown }[]
}

const recordOf = (name: string, ...types: readonly unknown[]): RecordSchema => ({
  type: 'record',
  name,
  fields: types.map((type, index) => ({ name: `field${index}`, type })),
})

function typeOf(schema: RecordSchema): avro.Type {
  return avro.Type.forSchema(schema as unknown as avro.Schema, { wrapUnions: 'never' })
}

test('a value is walked over from its first byte to its last, also where a type stands in it again', () => {
  const pair = recordOf('Pair', 'string', ['null', 'long'])
  const type = typeOf(recordOf('Both', pair, { type: 'array', items: 'Pair' }, 'boolean'))
  const bytes = type.toBuffer({
    field0: { field0: 'a', field1: null },
    field1: [{ field0: 'bc', field1: 70_000 }],
    field2: true,
  })
  const walk = new AvroWalk()
  walk.begin(bytes, 0)

  skipOf(type)!(walk)

  expect(walk.end()).toBe(true)
})

test('a type that contains itself is not walked over, and beside others it costs no more than they do', () => {
  const many = Array.from({ length: 200 }, () => ['null', 'Node'])

  expect(skipOf(typeOf(recordOf('Node', 'int', ...many)))).toBeUndefined()
})

test('types that name others often are looked at once each', () => {
  const innermost: unknown = recordOf('Level0', 'int')
  const nested = Array.from({ length: 7 }, (_, index) => index).reduce<unknown>(
    (inner, level) =>
      recordOf(`Level${level + 1}`, inner, ...Array.from({ length: 30 }, () => `Level${level}`)),
    innermost,
  )

  expect(skipOf(typeOf(nested as RecordSchema))).toBeDefined()
})
