/* oxlint-disable no-underscore-dangle -- avsc names its inner methods so. */
import avro from 'avsc'

/** The parts of avsc that it does not document; its version is pinned, and the tests show what breaks. */
interface Tap {
  readonly buf: Buffer
  readonly pos: number
  readLong(): number
  readString(): string
  skipLong(): void
  skipString(): void
}

interface InnerType {
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
}

type InnerConstructor = new (schema: object, options: object) => avro.Type

/**
 * An array whose count is held against the bytes. A block's count comes from the record: six bytes can claim billions
 * of items, and avsc would make them all before it notices that the bytes have ended: such a record would end the
 * process. An item takes at least a byte in every type but null and what is made of it alone, which nobody needs in
 * bulk.
 */
class BoundedArray extends (avro.types.ArrayType as unknown as InnerConstructor) {
  declare readonly itemsType: InnerType

  /** A resolver borrows this method and has items of its own. */
  _read(tap: Tap): unknown[] {
    let count = blockCount(tap)
    if (count === 0) return []
    // Room for one and no more: a list that grows from none makes room for many, and most have one.
    const items = [this.itemsType._read(tap)]
    count -= 1
    do {
      for (; count > 0; count -= 1) items.push(this.itemsType._read(tap))
      count = blockCount(tap)
    } while (count > 0)
    return items
  }

  _skip(tap: Tap): void {
    for (let count = blockCount(tap); count > 0; count = blockCount(tap))
      for (; count > 0; count -= 1) this.itemsType._skip(tap)
  }
}

/** A map, likewise. */
class BoundedMap extends (avro.types.MapType as unknown as InnerConstructor) {
  declare readonly valuesType: InnerType

  _read(tap: Tap): Record<string, unknown> {
    const values: Record<string, unknown> = {}
    for (let count = blockCount(tap); count > 0; count = blockCount(tap))
      for (; count > 0; count -= 1) {
        const key = tap.readString()
        values[key] = this.valuesType._read(tap)
      }
    return values
  }

  _skip(tap: Tap): void {
    for (let count = blockCount(tap); count > 0; count = blockCount(tap))
      for (; count > 0; count -= 1) {
        tap.skipString()
        this.valuesType._skip(tap)
      }
  }
}

/** For avsc's `typeHook`: arrays and maps that believe no count which the bytes cannot hold. */
export function boundCounts(schema: unknown, options: object): avro.Type | undefined {
  const { type } = (schema ?? {}) as { type?: unknown }
  if (type === 'array') return new BoundedArray(schema as object, options)
  if (type === 'map') return new BoundedMap(schema as object, options)
  return undefined
}

/** A negative count is followed by the block's size in bytes, for who wants to skip it. */
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
