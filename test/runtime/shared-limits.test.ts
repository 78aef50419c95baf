import { expect, test } from 'vitest'
import type { Sink } from '../../src/sinks/sink.ts'
import { HardWorld } from '../hard-cases/hard-world.ts'
import { smallTopology } from '../simulation/small-topology.ts'

/** A sink that nothing is given to: it remembers its share of what all instances may send. */
class ShareSink implements Sink<string> {
  readonly concurrencyMax = 4
  share = 0

  setShare(share: number): void {
    this.share = share
  }

  prepare(): never {
    throw new Error('nobody asks for anything')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

test('what all instances may send together is shared by the tasks they have', async () => {
  const world = new HardWorld()
  const [a, b] = [new ShareSink(), new ShareSink()]
  const first = world.start('a', { topology: smallTopology(a, 'hold') })
  await world.until(() => a.share === 1)

  world.start('b', { topology: smallTopology(b, 'hold') })
  // During the rebalance they may disagree for a moment.
  await world.until(() => b.share > 0 && a.share + b.share === 1)
  const both = [a.share, b.share]
  await world.stop(first)
  await world.until(() => b.share === 1)

  expect(both).toEqual([0.5, 0.5])
})
