/** Fields of a log line; `event` is a stable machine-readable name where there is one. */
export type LogFields = Readonly<Record<string, unknown>>

/** What the processor needs of a logger; a pino logger is one. Secrets are never passed to it. */
export interface Logger {
  debug(fields: LogFields, message?: string): void
  info(fields: LogFields, message?: string): void
  warn(fields: LogFields, message?: string): void
  error(fields: LogFields, message?: string): void
}

const nothing = (): void => undefined

/** Says nothing. */
export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
})
