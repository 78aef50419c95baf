import type avro from 'avsc'

import type { AvroWalk } from './avro-walk.ts'

/** Walks over a value of one type. */
export type Skip = (walk: AvroWalk) => void

/** Of the types that have been met: undefined also while one is made, for one that contains itself would not end. */
type Known = Map<avro.Type, Skip | undefined>

/** How values of a type are walked over; undefined for a type that no request has needed yet. */
export function skipOf(type: avro.Type, known: Known = new Map()): Skip | undefined {
  // Each type once: a schema names a type as often as it likes, and types that name others often would multiply.
  if (known.has(type)) return known.get(type)
  known.set(type, undefined)
  const skip = newSkipOf(type, known)
  known.set(type, skip)
  return skip
}

function newSkipOf(type: avro.Type, known: Known): Skip | undefined {
  const inner = (each: avro.Type): Skip | undefined => skipOf(each, known)
  const { typeName } = type
  if (typeName in simple) return simple[typeName]
  switch (typeName) {
    case 'enum':
      return indexBelow((type as avro.types.EnumType).symbols.length)
    case 'array':
      return listOf([inner((type as avro.types.ArrayType).itemsType)])
    case 'map':
      return listOf([simple['string'], inner((type as avro.types.MapType).valuesType)])
    case 'record':
      return allOf((type as avro.types.RecordType).fields.map(each => inner(each.type)))
    case 'union:unwrapped':
      return branchOf((type as avro.types.UnwrappedUnionType).types.map(inner))
    default:
      return undefined
  }
}

const simple: Readonly<Record<string, Skip>> = {
  null: () => undefined,
  boolean: walk => walk.flag(),
  int: walk => void walk.long(),
  long: walk => void walk.long(),
  string: walk => void walk.bytes(),
  bytes: walk => void walk.bytes(),
}

function indexBelow(count: number): Skip {
  return walk => {
    if (walk.number() >= count) walk.failed = true
  }
}

function isComplete(parts: readonly (Skip | undefined)[]): parts is readonly Skip[] {
  return !parts.includes(undefined)
}

function allOf(parts: readonly (Skip | undefined)[]): Skip | undefined {
  if (!isComplete(parts)) return undefined
  return walk => parts.forEach(part => part(walk))
}

function listOf(parts: readonly (Skip | undefined)[]): Skip | undefined {
  const item = allOf(parts)
  if (item === undefined) return undefined
  return walk => {
    const count = walk.beginList()
    for (let left = count; left > 0 && !walk.failed; left -= 1) item(walk)
    walk.endList(count)
  }
}

function branchOf(branches: readonly (Skip | undefined)[]): Skip | undefined {
  if (!isComplete(branches)) return undefined
  return walk => {
    const branch = branches[walk.number()]
    if (branch === undefined) walk.failed = true
    else branch(walk)
  }
}
