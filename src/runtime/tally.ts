/** Sums by name. Names in a row are mostly the same one, which is looked up once. */
export class Tally {
  readonly #sums = new Map<string, number>()
  #name: string | undefined
  #sum = 0

  add(name: string, by: number): void {
    if (name !== this.#name) {
      this.#settle()
      this.#name = name
    }
    this.#sum += by
  }

  get isEmpty(): boolean {
    return this.#name === undefined && this.#sums.size === 0
  }

  get sums(): ReadonlyMap<string, number> {
    this.#settle()
    return this.#sums
  }

  #settle(): void {
    const name = this.#name
    if (name === undefined) return
    this.#sums.set(name, (this.#sums.get(name) ?? 0) + this.#sum)
    this.#name = undefined
    this.#sum = 0
  }
}
