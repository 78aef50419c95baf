import type { Cancel, Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Processor } from './processor.ts'
import type { Terminal } from './terminal.ts'

export interface RunUntilSignalOptions {
  readonly processor: Pick<Processor, 'run' | 'stop'>
  readonly terminal: Terminal
  readonly clock: Clock
  readonly log: Logger
  /** Between the first signal and the end, milliseconds. */
  readonly shutdownTimeoutMs: number
}

/** A launcher passes on a signal that the terminal has already sent to everybody: one Ctrl-C arrives twice. */
const echoMs = 500

/**
 * Runs the processor until a signal drains it. A second signal, or a drain that does not end in time, ends the process at
 * once: that is a crash like any other, and no crash loses or repeats a mail.
 */
export async function runUntilSignal(options: RunUntilSignalOptions): Promise<void> {
  const { processor, terminal, clock, log, shutdownTimeoutMs } = options
  // A part of the time is for leaving the group and closing the stores.
  const drainMs = Math.max(0, shutdownTimeoutMs - Math.min(1000, shutdownTimeoutMs / 5))
  let stopping: Promise<void> | undefined
  let firstAtMs = 0
  let cancelWatchdog: Cancel | undefined
  const giveUp = (why: string): void => {
    terminal.tell(`mailonce: ${why}: what was under way is taken up again at the next start`)
    terminal.exit(1)
  }
  const forget = terminal.onSignal(signal => {
    if (stopping !== undefined && clock.monotonicMs() - firstAtMs < echoMs) return undefined
    if (stopping !== undefined) return giveUp(`ended at once by a second ${signal}`)
    log.info({ event: 'stopping', signal, withinMs: shutdownTimeoutMs }, 'draining')
    cancelWatchdog = clock.schedule(shutdownTimeoutMs, () =>
      giveUp(`did not drain within ${shutdownTimeoutMs} ms`),
    )
    firstAtMs = clock.monotonicMs()
    stopping = processor.stop(drainMs)
  })
  try {
    await processor.run()
    await stopping
    log.info({ event: 'stopped' }, 'left the group')
  } finally {
    cancelWatchdog?.()
    forget()
  }
}
