import { pino } from 'pino'
import type { Logger } from '../log.ts'
import type { Configuration } from './configuration.ts'

/** Where lines go; standard output unless a test reads them. */
export interface LogDestination {
  write(line: string): void
}

/**
 * JSON lines on standard output. Written synchronously: the last words of a process that dies are the ones that are
 * needed, and the busy paths do not log.
 */
export function jsonLogger(
  level: Configuration['logLevel'],
  fields: Readonly<Record<string, string>>,
  destination: LogDestination = pino.destination({ fd: 1, sync: true }),
): Logger {
  return pino({ level, base: fields }, destination)
}
