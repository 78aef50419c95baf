import type { Terminal } from '../../src/cli/terminal.ts'

/** A terminal whose words can be read afterwards. */
export class MemoryTerminal implements Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Buffer>
  readonly printed: string[] = []
  readonly told: string[] = []
  readonly #listeners = new Set<(signal: string) => void>()

  constructor(environment: Readonly<Record<string, string>> = {}, stdin: readonly string[] = []) {
    this.environment = environment
    this.stdin = chunks(stdin)
  }

  print(line: string): void {
    this.printed.push(line)
  }

  tell(line: string): void {
    this.told.push(line)
  }

  onSignal(listener: (signal: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  signal(name: string): void {
    for (const listener of this.#listeners) listener(name)
  }

  exit(code: number): never {
    throw new Error(`exit ${code}`)
  }
}

async function* chunks(texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}
