/* oxlint-disable no-underscore-dangle -- avsc names its inner methods so. */
import type avro from 'avsc'

/** The parts of avsc that it does not document; its version is pinned, and the tests of this file show what breaks. */
interface Tap {
  readonly buf: Buffer
  readonly pos: number
  readLong(): number
  readString(): string
  skipLong(): void
  skipString(): void
}

interface InnerType {
  readonly typeName: string
  readonly itemsType?: InnerType
  readonly valuesType?: InnerType
  readonly types?: readonly InnerType[]
  readonly fields?: readonly { readonly type: InnerType }[]
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
}

/**
 * Makes arrays and maps believe no count that the bytes cannot hold. A block's count comes from the record: six bytes can claim billions of
 * items, and avsc would make them all before it notices that the bytes have ended: such a record would end the process. An
 * item takes at least a byte in every type but null and what is made of it alone, which nobody needs in bulk.
 */
export function boundCounts(type: avro.Type): avro.Type {
  visit(type as unknown as InnerType, new Set())
  return type
}

function visit(type: InnerType, seen: Set<InnerType>): void {
  if (seen.has(type)) return
  seen.add(type)
  const { itemsType, valuesType } = type
  if (type.typeName === 'array' && itemsType !== undefined) {
    // A resolver copies `_read` from its reader and has items of its own: hence `this`.
    type._read = readArray
    type._skip = tap => skipBlocks(tap, () => itemsType._skip(tap))
    visit(itemsType, seen)
  } else if (type.typeName === 'map' && valuesType !== undefined) {
    type._read = readMap
    type._skip = tap =>
      skipBlocks(tap, () => {
        tap.skipString()
        valuesType._skip(tap)
      })
    visit(valuesType, seen)
  }
  for (const each of type.types ?? []) visit(each, seen)
  for (const field of type.fields ?? []) visit(field.type, seen)
}

function readArray(this: InnerType, tap: Tap): unknown[] {
  const items: unknown[] = []
  const { itemsType } = this
  for (let count = blockCount(tap); count > 0; count = blockCount(tap))
    for (; count > 0; count -= 1) items.push(itemsType!._read(tap))
  return items
}

function readMap(this: InnerType, tap: Tap): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  const { valuesType } = this
  for (let count = blockCount(tap); count > 0; count = blockCount(tap))
    for (; count > 0; count -= 1) {
      const key = tap.readString()
      values[key] = valuesType!._read(tap)
    }
  return values
}

function skipBlocks(tap: Tap, skipItem: () => void): void {
  for (let count = blockCount(tap); count > 0; count = blockCount(tap))
    for (; count > 0; count -= 1) skipItem()
}

/** A negative count is followed by the block's bytes, for who wants to skip it. */
function blockCount(tap: Tap): number {
  let count = tap.readLong()
  if (count < 0) {
    count = -count
    tap.skipLong()
  }
  if (count > tap.buf.length - tap.pos)
    throw new RangeError(`a count of ${count} is beyond the bytes`)
  return count
}
