import { systemClock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import type { Invocation } from './command.ts'
import { demoCommand } from './demo-command.ts'
import { startDevSession } from './dev-session.ts'
import { startHttpServer } from './http-server.ts'
import { jsonLogger } from './json-logger.ts'
import { hostPortText } from './parsers.ts'
import { showRestoreBar } from './restore-bar.ts'
import { runUntilSignal } from './run-until-signal.ts'

/** `dev`: logs on standard output like `run`, words for a person on standard error. */
export async function devCommand(invocation: Invocation): Promise<number> {
  if (invocation.flags.has('demo')) return demoCommand(invocation)
  const { configuration, terminal } = invocation
  const log: Logger = jsonLogger(configuration.values.logLevel, { application: 'mailonce' })
  await using resources = new AsyncDisposableStack()
  const session = await startDevSession(
    {
      configuration: configuration.values,
      terminal,
      log,
      onMail: mail =>
        terminal.tell(`mail for ${mail.recipients.join(', ')}: ${mail.parsed.subject ?? ''}`),
    },
    resources,
  )
  const { processor } = session
  const { kafka, schemaRegistry, smtp, http: listen, shutdownTimeout } = session.configuration
  const http = resources.use(
    await startHttpServer({
      listen,
      health: () => processor.health(),
      metrics: async () => processor.metrics(),
      query: async path => processor.query(path),
    }),
  )
  processor.advertise(http.address)
  log.info(
    { event: 'http', address: http.address },
    'serving /healthz, /readyz, /metrics and /requests',
  )
  const addresses = `--kafka ${kafka.map(hostPortText).join(',')} --schema-registry ${schemaRegistry.display}`
  terminal.tell(`Kafka, Schema Registry and inbox: ${addresses} --smtp ${smtp.display}`)
  terminal.tell(
    `try: npx mailonce send ${addresses} --to alice@example.com --subject Hello --text Hello`,
  )
  terminal.tell('Ctrl-C stops everything; nothing is kept')
  const shown = new AbortController()
  const bar = showRestoreBar({
    processor,
    terminal,
    clock: systemClock,
    signal: shown.signal,
  })
  resources.defer(() => bar)
  resources.defer(() => shown.abort())
  try {
    await runUntilSignal({
      processor,
      terminal,
      clock: systemClock,
      log,
      shutdownTimeoutMs: shutdownTimeout,
    })
    return 0
  } catch (error) {
    log.error({ event: 'failed', code: errorCodeOf(error) ?? 'INTERNAL' }, describeError(error))
    throw error
  }
}
