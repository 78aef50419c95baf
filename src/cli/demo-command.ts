import { sleep, systemClock } from '../clock.ts'
import { topicNames } from '../email/topic-names.ts'
import type { Configuration } from './configuration.ts'
import type { Invocation } from './command.ts'
import { openCluster } from './connections.ts'
import { runDemo } from './demo.ts'
import { DemoObservations } from './demo-observations.ts'
import { startDevSession } from './dev-session.ts'
import { silentLogger } from '../log.ts'
import { openPublisher } from './open-publisher.ts'
import { openSerdes } from './open-serdes.ts'
import { OutcomeReader } from './outcome-reader.ts'
import type { Processor } from './processor.ts'
import type { Terminal } from './terminal.ts'

/** A person watches: a retry comes soon, and gives up soon. */
const demoRetryMs = [1000, 2000, 4000]

/** `dev --demo`: the table on standard output, progress on standard error. */
export async function demoCommand(invocation: Invocation): Promise<number> {
  const { configuration, terminal } = invocation
  const { values, fromFlags } = configuration
  await using resources = new AsyncDisposableStack()
  const observations = new DemoObservations()
  const session = await startDevSession(
    {
      configuration: fromFlags.has('retry') ? values : { ...values, retry: demoRetryMs },
      terminal,
      log: silentLogger,
      onMail: mail =>
        observations.mail({ subject: mail.parsed.subject ?? '', receivedAtMs: mail.receivedAtMs }),
    },
    resources,
  )
  const stop = new AbortController()
  const forget = terminal.onSignal(() => stop.abort())
  const run = session.processor.run()
  // Whoever waits for the run sees its failure; this keeps it from ending the process before.
  run.catch(() => stop.abort())
  try {
    return await demonstrate(
      session.configuration,
      session.processor,
      observations,
      terminal,
      stop.signal,
    )
  } finally {
    forget()
    await session.processor.stop(5000)
    await run
  }
}

async function demonstrate(
  configuration: Configuration,
  processor: Processor,
  observations: DemoObservations,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  await using resources = new AsyncDisposableStack()
  const publisher = await openPublisher(configuration, resources)
  const cluster = await openCluster(configuration, resources)
  const registryUrl = configuration.schemaRegistry.reveal()
  const cacheFile = `${configuration.stateDir}.demo-schemas.json`
  const serdes = await openSerdes({ registryUrl, cacheFile, clock: systemClock })
  const reader = resources.use(await OutcomeReader.open(cluster, serdes, observations))
  const requested = (await cluster.admin.describeTopics([topicNames.requested])).get(
    topicNames.requested,
  )
  terminal.tell('waiting for the processor')
  while (!processor.health().ready && !signal.aborted) await sleep(systemClock, 50, signal)
  const { lines, wrong } = await runDemo({
    publisher,
    partitions: requested?.partitions ?? 1,
    observations,
    dedupWindowMs: configuration.dedupWindow,
    clock: systemClock,
    signal,
    progress: text => terminal.tell(text),
  })
  if (reader.failure !== undefined) throw reader.failure
  for (const line of lines) terminal.print(line)
  if (signal.aborted) {
    terminal.tell('mailonce: the demo was interrupted')
    return 1
  }
  if (wrong > 0) {
    terminal.tell(`mailonce: ${wrong} of the requests ended otherwise than expected: see the table`)
    return 1
  }
  return 0
}
