/**
 * Bytes to values and back. Decoding is synchronous, because a stream processor decides record by record;
 * what needs a network (a schema that is not known yet) is fetched beforehand by `prepare`.
 */
export interface Serde<T> {
  /** True when `deserialize` can decide about these bytes without waiting. Cheap: it is asked for every record. */
  isReady(bytes: Buffer): boolean
  /**
   * Fetches what `deserialize` lacks. Rejects with REGISTRY_UNAVAILABLE while nobody can know: ask again later.
   * A schema that is known not to exist is an answer, not a failure: `deserialize` then says RECORD_UNDECODABLE.
   */
  prepare(bytes: Buffer): Promise<void>
  /** Throws RECORD_UNDECODABLE. */
  deserialize(bytes: Buffer): T
  serialize(value: T): Buffer
  /** How bytes that `deserialize` has decoded were written; undefined when nobody can tell. The same object for all that were written alike. */
  layoutOf?(bytes: Buffer): ValueLayout | undefined
}

/** How a value was written. */
export interface ValueLayout {
  /** What the codec knows of the writer's schema. */
  readonly schema: object
  /** Where the value begins in its bytes. */
  readonly start: number
}

/** UTF-8 text. A Kafka key of ours is one. */
export const utf8Serde: Serde<string> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  deserialize: (bytes: Buffer) => bytes.toString('utf8'),
  serialize: (value: string) => Buffer.from(value, 'utf8'),
})

/** Bytes as they are. */
export const bytesSerde: Serde<Buffer> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  deserialize: (bytes: Buffer) => bytes,
  serialize: (value: Buffer) => value,
})
