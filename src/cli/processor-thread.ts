import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import { systemRandom } from '../random.ts'
import { configurationOf } from './configuration.ts'
import { jsonLogger } from './json-logger.ts'
import { Processor } from './processor.ts'
import type { ThreadStart } from './processor-threads.ts'
import { instanceApplicationId } from './staging.ts'
import { threadAnswer } from './thread-answers.ts'
import type { FromThread, ThreadQuestion, ToThread } from './thread-messages.ts'
import { shareOfThread } from './thread-share.ts'

/* Run as a thread by `startProcessorThread`: one processor among several of its process. */

/** How often it says how it is, milliseconds. */
const healthEveryMs = 200

const { given, place, acceptLostState, takeOver, advertisedHttp } = workerData as ThreadStart
const configuration = shareOfThread(configurationOf(given), place)
const log = jsonLogger(configuration.logLevel, {
  application: instanceApplicationId(configuration),
  thread: String(place.index),
})
const processor = new Processor({
  configuration,
  acceptLostState,
  takeOver,
  place,
  clock: systemClock,
  random: systemRandom,
  log,
})
if (advertisedHttp !== undefined) processor.advertise(advertisedHttp)

function say(message: FromThread): void {
  parentPort!.postMessage(message, [])
}

function sayHealth(): void {
  say({ kind: 'health', health: processor.health() })
  systemClock.schedule(healthEveryMs, sayHealth)
}

async function answer(id: number, question: ThreadQuestion): Promise<void> {
  say({ kind: 'answer', id, answer: await threadAnswer(processor, question) })
}

parentPort!.on('message', (message: ToThread) => {
  if (message.kind === 'stop') void processor.stop(message.withinMs)
  else void answer(message.id, message.question)
})
sayHealth()
try {
  await processor.run()
  say({ kind: 'stopped' })
} catch (error) {
  say({
    kind: 'failed',
    code: errorCodeOf(error) ?? 'INTERNAL',
    message: `thread ${place.index}: ${describeError(error)}`,
  })
}
// Ends this thread alone, whatever may still be open in it.
process.exit()
