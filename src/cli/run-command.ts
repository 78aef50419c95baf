import { systemClock } from '../clock.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import { systemRandom } from '../random.ts'
import type { Invocation } from './command.ts'
import { startHttpServer } from './http-server.ts'
import { jsonLogger } from './json-logger.ts'
import { hostPortText } from './parsers.ts'
import { Processor } from './processor.ts'
import { ProcessorThreads, type ProcessorThreadsOptions } from './processor-threads.ts'
import { startProcessorThread } from './start-processor-thread.ts'
import { instanceApplicationId } from './staging.ts'
import { runUntilSignal } from './run-until-signal.ts'

/** `run`: one instance until a signal. */
export async function runCommand(
  { configuration, flags, terminal }: Invocation,
  startThread: ProcessorThreadsOptions['startThread'] = startProcessorThread,
): Promise<number> {
  const { values, given } = configuration
  const log = jsonLogger(values.logLevel, { application: instanceApplicationId(values) })
  const options = {
    configuration: values,
    acceptLostState: flags.has('accept-lost-state'),
    takeOver: flags.has('take-over'),
    clock: systemClock,
    random: systemRandom,
    log,
  }
  const processor =
    values.threads === 1
      ? new Processor(options)
      : new ProcessorThreads({ ...options, given, startThread })
  await using http = await startHttpServer({
    listen: values.http,
    health: () => processor.health(),
    metrics: async () => processor.metrics(),
    query: async path => processor.query(path),
  })
  processor.advertise(
    values.advertisedHttp === undefined ? http.address : hostPortText(values.advertisedHttp),
  )
  log.info(
    { event: 'http', address: http.address },
    'serving /healthz, /readyz, /metrics and /requests',
  )
  try {
    await runUntilSignal({
      processor,
      terminal,
      clock: systemClock,
      log,
      shutdownTimeoutMs: values.shutdownTimeout,
    })
    return 0
  } catch (error) {
    log.error({ event: 'failed', code: errorCodeOf(error) ?? 'INTERNAL' }, describeError(error))
    throw error
  }
}
