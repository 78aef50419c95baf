/** What a command sees of the process it runs in: an argument, so that a test can be one. */
export interface Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Buffer>
  /** One line on standard output: what was asked for. */
  print(line: string): void
  /** One line on standard error: what a person should know besides. */
  tell(line: string): void
  /** One line on standard error that the next output takes the place of; undefined where nobody looks at a screen. */
  readonly status?: (line: string) => void
  /** Called for SIGTERM and SIGINT until the returned function is called. */
  onSignal(listener: (signal: string) => void): () => void
  /** Ends the process at once. */
  exit(code: number): never
}

const signals = ['SIGTERM', 'SIGINT'] as const

/** The real one. */
export const processTerminal: Terminal = Object.freeze({
  environment: process.env,
  stdin: process.stdin,
  print: (line: string) => {
    process.stdout.write(`${line}\n`)
  },
  tell: (line: string) => {
    process.stderr.write(`${line}\n`)
  },
  // The cursor goes back to the start of the line, so that whatever is written next overwrites it.
  ...(process.stderr.isTTY && {
    status: (line: string) => {
      process.stderr.write(`${line}\u001b[K\r`)
    },
  }),
  onSignal: (listener: (signal: string) => void) => {
    for (const signal of signals) process.on(signal, listener)
    return () => {
      for (const signal of signals) process.off(signal, listener)
    }
  },
  exit: (code: number) => process.exit(code),
})
