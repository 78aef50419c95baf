import { StreamsError } from '../errors.ts'
import type { Health } from './http-server.ts'
import type { Logger } from '../log.ts'
import type { MetricRegistry } from '../metrics.ts'
import { DryRunSink } from '../sinks/dry-run-sink.ts'
import type { MailRequest } from '../sinks/mail-request.ts'
import { RedirectSink } from '../sinks/redirect-sink.ts'
import type { Sink } from '../sinks/sink.ts'
import type { WebhookRequest } from '../sinks/webhook-request.ts'
import type { Configuration } from './configuration.ts'

type StagingSettings = Pick<Configuration, 'applicationId' | 'dryRun' | 'redirectTo'>

const dryRunSuffix = '-dry-run'

/**
 * The application id of an instance. A dry run has one of its own, because it takes the identities of what it reads: under the id of those who
 * send, the requests would count as dealt with, and nobody would ever send them. Throws CONFIGURATION_INVALID.
 */
export function instanceApplicationId({ applicationId, dryRun }: StagingSettings): string {
  const isOwn = applicationId.endsWith(dryRunSuffix)
  if (isOwn && !dryRun)
    throw invalid(
      `application-id: ${applicationId} belongs to dry runs, which have taken its requests without sending them: start with --dry-run, or under another id`,
    )
  return dryRun && !isOwn ? applicationId + dryRunSuffix : applicationId
}

/** Throws CONFIGURATION_INVALID: topics on which others send are no place for a dry run. */
export function refuseTakeOver({ dryRun }: StagingSettings, takeOver: boolean): void {
  if (!dryRun || !takeOver) return
  throw invalid(
    '--take-over and --dry-run exclude each other: the requests on these topics are those of somebody who sends; give the dry run topics of its own',
  )
}

/** How this instance keeps mails from those they are meant for, in one line; undefined when it does not. */
export function stagingText({ dryRun, redirectTo }: StagingSettings): string | undefined {
  const redirected = redirectTo === undefined ? undefined : `every mail goes to ${redirectTo}`
  if (!dryRun) return redirected && `REDIRECTED: ${redirected} instead of its recipients`
  return `DRY RUN: no mail is sent${redirected === undefined ? '' : `, and ${redirected}`}`
}

/** 1 for what is in force. */
export function showStaging(registry: MetricRegistry, settings: StagingSettings): void {
  const help = '1 while mails are kept from those they are meant for, by how.'
  const gauge = registry.gauge('mailonce_staging', help, ['mode'], 'max')
  for (const mode of stagingModes(settings)) gauge.labels({ mode }).set(1)
}

function stagingModes({ dryRun, redirectTo }: StagingSettings): readonly string[] {
  return [...(dryRun ? ['dry-run'] : []), ...(redirectTo === undefined ? [] : ['redirect'])]
}

/** The health of an instance that stages says so. */
export function stagedHealth(health: Health, settings: StagingSettings): Health {
  const staging = stagingText(settings)
  return staging === undefined ? health : { ...health, text: `${health.text}; ${staging}` }
}

export function stagingSink(
  sink: Sink<MailRequest>,
  { dryRun, redirectTo }: StagingSettings,
  log: Logger,
): Sink<MailRequest> {
  const redirected = redirectTo === undefined ? sink : new RedirectSink(sink, redirectTo, log)
  return dryRun ? new DryRunSink(redirected, 'the final dot') : redirected
}

/** A dry run calls nobody either. */
export function stagingWebhooks(
  sink: Sink<WebhookRequest>,
  { dryRun }: StagingSettings,
): Sink<WebhookRequest> {
  return dryRun ? new DryRunSink(sink, 'the request') : sink
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
