import type { KeyValueStore, StoreDefinition } from '../state/store.ts'

/** A store of the test driver: values lie there as bytes, so that a value changed after `put` is not changed in the store. */
export class DriverStore<Value> implements KeyValueStore<Value> {
  readonly #definition: StoreDefinition<Value>
  readonly #entries = new Map<string, Buffer>()
  /** What stood there before the unit of work that is under way. */
  readonly #before = new Map<string, Buffer | undefined>()

  constructor(definition: StoreDefinition<Value>) {
    this.#definition = definition
  }

  get(key: string): Value | undefined {
    const bytes = this.#entries.get(key)
    return bytes === undefined ? undefined : this.#definition.value.deserialize(bytes)
  }

  put(key: string, value: Value): void {
    this.#remember(key)
    this.#entries.set(key, this.#definition.value.serialize(value))
  }

  delete(key: string): void {
    this.#remember(key)
    this.#entries.delete(key)
  }

  /** All entries, in no particular order. */
  entries(): readonly (readonly [key: string, value: Value])[] {
    return Array.from(this.#entries, ([key, bytes]) => [
      key,
      this.#definition.value.deserialize(bytes),
    ])
  }

  /** A unit of work begins: `undo` returns to here. */
  begin(): void {
    this.#before.clear()
  }

  undo(): void {
    for (const [key, bytes] of this.#before)
      if (bytes === undefined) this.#entries.delete(key)
      else this.#entries.set(key, bytes)
    this.#before.clear()
  }

  #remember(key: string): void {
    if (!this.#before.has(key)) this.#before.set(key, this.#entries.get(key))
  }
}
