interface Entry<Value> {
  readonly name: string
  readonly value: Value
  uses: number
}

/** Values by name and by number, as long as somebody uses them: what a million requests share is remembered in four bytes each. */
export class Interned<Value> {
  readonly #make: (name: string) => Value
  readonly #ids = new Map<string, number>()
  readonly #entries: (Entry<Value> | undefined)[] = []
  readonly #free: number[] = []

  constructor(make: (name: string) => Value) {
    this.#make = make
  }

  get size(): number {
    return this.#ids.size
  }

  /** The number of the name, for one more user. */
  enter(name: string): number {
    let id = this.#ids.get(name)
    if (id === undefined) {
      id = this.#free.pop() ?? this.#entries.length
      this.#ids.set(name, id)
      this.#entries[id] = { name, value: this.#make(name), uses: 0 }
    }
    this.#entries[id]!.uses += 1
    return id
  }

  get(id: number): Value {
    return this.#entries[id]!.value
  }

  /** One user less: with the last one it is forgotten. */
  exit(id: number): void {
    const entry = this.#entries[id]!
    entry.uses -= 1
    if (entry.uses > 0) return
    this.#ids.delete(entry.name)
    this.#entries[id] = undefined
    this.#free.push(id)
  }
}
