import { inspect } from 'node:util'

/**
 * A value that must never be printed. Whatever turns it into text (a log line, an error, JSON, `console.log`) gets
 * `display`; only `reveal` gives the value itself.
 */
export class Secret {
  readonly display: string
  readonly #value: string

  constructor(value: string, display = '[secret]') {
    this.#value = value
    this.display = display
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return this.display
  }

  toJSON(): string {
    return this.display
  }

  [inspect.custom](): string {
    return this.display
  }
}
