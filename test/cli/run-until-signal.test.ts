import { expect, test } from 'vitest'
import { runUntilSignal } from '../../src/cli/run-until-signal.ts'
import { silentLogger } from '../../src/log.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { MemoryTerminal } from './memory-terminal.ts'

/** Runs until it is told to end, which is later than when it is told to stop. */
class SlowProcessor {
  readonly stoppedWithinMs: number[] = []
  readonly #ended = Promise.withResolvers<void>()

  run(): Promise<void> {
    return this.#ended.promise
  }

  async stop(withinMs: number): Promise<void> {
    this.stoppedWithinMs.push(withinMs)
    await this.#ended.promise
  }

  end(): void {
    this.#ended.resolve()
  }

  fail(error: Error): void {
    this.#ended.reject(error)
  }
}

function start(shutdownTimeoutMs: number): {
  processor: SlowProcessor
  terminal: MemoryTerminal
  clock: ManualClock
  running: Promise<void>
} {
  const [processor, terminal, clock] = [
    new SlowProcessor(),
    new MemoryTerminal(),
    new ManualClock(),
  ]
  const running = runUntilSignal({
    processor,
    terminal,
    clock,
    log: silentLogger,
    shutdownTimeoutMs,
  })
  return { processor, terminal, clock, running }
}

test('a signal drains, with a part of the time left for leaving', async () => {
  const { processor, terminal, clock, running } = start(30_000)

  terminal.signal('SIGTERM')
  processor.end()
  await running

  expect(processor.stoppedWithinMs).toEqual([29_000])
  expect(clock.nextDueMs).toBeUndefined()
  expect(() => terminal.signal('SIGTERM')).not.toThrow()
})

test('a second signal ends the process at once', () => {
  const { terminal, clock } = start(30_000)

  terminal.signal('SIGINT')
  clock.advance(500)

  expect(() => terminal.signal('SIGINT')).toThrow('exit 1')
  expect(terminal.told[0]).toContain('ended at once by a second SIGINT')
})

test('the echo of a signal is not a second one', async () => {
  const { processor, terminal, clock, running } = start(30_000)

  terminal.signal('SIGINT')
  clock.advance(499)
  terminal.signal('SIGINT')
  processor.end()
  await running

  expect(processor.stoppedWithinMs).toHaveLength(1)
  expect(terminal.told).toEqual([])
})

test('a drain that takes longer than allowed ends the process', () => {
  const { terminal, clock } = start(30_000)
  terminal.signal('SIGTERM')

  clock.advance(29_999)

  expect(terminal.told).toEqual([])
  expect(() => clock.advance(1)).toThrow('exit 1')
  expect(terminal.told[0]).toContain('did not drain within 30000 ms')
})

test('what ends the processor without a signal is thrown', async () => {
  const { processor, running } = start(30_000)

  processor.fail(new Error('fenced'))

  await expect(running).rejects.toThrow('fenced')
})
