import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { PreparedAttempt, Sink, SinkAttempt } from '../../src/sinks/sink.ts'

/** A sink and what stands on the other side of it. */
export interface SinkScene<Request> extends AsyncDisposable {
  readonly sink: Sink<Request>
  readonly attempt: SinkAttempt<Request>
  /** Times the other side has carried something out. */
  done(): number
  /** Connections that it holds open. */
  connections(): number
  /** Resolves when the condition holds; asked whenever anything has happened there. */
  until(condition: () => boolean): Promise<void>
}

const noSignal = new AbortController().signal

/** What `src/sinks/sink.ts` promises, for every sink. */
export function sinkContract<Request>(
  name: string,
  openScene: () => Promise<SinkScene<Request>>,
): void {
  const prepare = async ({
    sink,
    attempt,
  }: Pick<SinkScene<Request>, 'sink' | 'attempt'>): Promise<PreparedAttempt> => {
    const result = await sink.prepare(attempt, noSignal)
    if (result.kind === 'prepared') return result
    throw new Error(`not prepared: ${result.reply}`)
  }

  describe(`sink contract: ${name}`, () => {
    test('what is prepared has not been carried out; what is performed has, once', async () => {
      await using scene = await openScene()

      const attempt = await prepare(scene)
      const before = scene.done()
      const outcome = await attempt.perform(() => true)

      expect(before).toBe(0)
      expect(outcome.kind).toBe('done')
      expect(scene.done()).toBe(1)
    })

    test('it is asked whether it may in the moment of the step, and once', async () => {
      await using scene = await openScene()
      const attempt = await prepare(scene)
      let asked = 0

      const performed = attempt.perform(() => (asked += 1) > 0)
      const askedAtOnce = asked
      await performed

      expect([askedAtOnce, asked]).toEqual([1, 1])
    })

    test('what may not be performed is abandoned, and never carried out', async () => {
      await using scene = await openScene()

      const outcome = await (await prepare(scene)).perform(() => false)
      ;(await prepare(scene)).abandon()
      await scene.sink.close()
      await scene.until(() => scene.connections() === 0)

      expect(outcome.kind).toBe('abandoned')
      expect(scene.done()).toBe(0)
    })

    test('abandoning after the step changes nothing', async () => {
      await using scene = await openScene()
      const attempt = await prepare(scene)

      const outcome = attempt.perform(() => true)
      attempt.abandon()

      expect((await outcome).kind).not.toBe('abandoned')
    })

    test('what is stopped before its gate has failed, and counts for nobody', async () => {
      await using scene = await openScene()
      const stop = new AbortController()

      const result = scene.sink.prepare(scene.attempt, stop.signal)
      stop.abort()

      expect(await result).toMatchObject({
        kind: 'failed',
        reached: false,
        refused: [],
        deferred: [],
        unavailable: false,
      })
    })

    test('every try of a request carries the same name and the same bytes', async () => {
      await using scene = await openScene()

      const [first, second] = [await prepare(scene), await prepare(scene)]
      first.abandon()
      second.abandon()

      expect(second.messageId).toBe(first.messageId)
      expect(second.contentHash).toBe(first.contentHash)
      expect(first.contentHash).toMatch(/^[0-9a-f]{64}$/)
      expect(first.accepted).toEqual(scene.attempt.targets)
    })

    test('closing ends what is under way, may be done twice, and lets nothing begin', async () => {
      await using scene = await openScene()
      await prepare(scene)

      await scene.sink.close()
      await scene.sink.close()
      await setImmediate()
      const late = await scene.sink.prepare(scene.attempt, noSignal)
      await scene.until(() => scene.connections() === 0)

      expect(late).toMatchObject({ kind: 'failed', reached: false })
      expect(scene.done()).toBe(0)
    })
  })
}
