import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type { FailedAttempt, PreparedAttempt, Sink, SinkAttempt } from '../../src/sinks/sink.ts'
import { SmtpSink } from '../../src/sinks/smtp-sink.ts'
import type { SmtpSinkOptions } from '../../src/sinks/smtp-options.ts'
import type { ScriptedSmtpServer } from '../support/smtp/scripted-smtp-server.ts'

export const firstSeenMs = Date.UTC(2026, 0, 2, 3, 4, 5)

export const mailRequest = (change: Partial<MailRequest> = {}): MailRequest => ({
  source: 'shop',
  requestId: 'r-1',
  from: 'sender@example.org',
  replyTo: null,
  to: ['ann@example.com'],
  cc: [],
  bcc: [],
  subject: 'Hello',
  text: 'Hello Ann.\n',
  html: null,
  headers: {},
  attachments: [],
  ...change,
})

export function attemptOf(
  change: Partial<MailRequest> = {},
  targets?: readonly string[],
): SinkAttempt<MailRequest> {
  const request = mailRequest(change)
  const all = [...request.to, ...request.cc, ...request.bcc]
  const identity = `${request.source}\0${request.requestId}`
  return {
    request,
    targets: targets ?? all,
    identity,
    firstSeenMs,
    lastRelay: null,
    onlyRelay: null,
  }
}

export const sinkOf = (
  relay: ScriptedSmtpServer,
  change: Partial<SmtpSinkOptions> = {},
): SmtpSink => new SmtpSink({ url: relay.url, from: 'default@example.org', ...change })

export const noSignal: AbortSignal = new AbortController().signal

export async function prepared(
  sink: Sink<MailRequest>,
  attempt: SinkAttempt<MailRequest> = attemptOf(),
  signal: AbortSignal = noSignal,
): Promise<PreparedAttempt> {
  const result = await sink.prepare(attempt, signal)
  if (result.kind === 'failed') throw new Error(`not prepared: ${result.reply}`)
  return result
}

export async function failed(
  sink: SmtpSink,
  attempt: SinkAttempt<MailRequest> = attemptOf(),
  signal: AbortSignal = noSignal,
): Promise<FailedAttempt> {
  const result = await sink.prepare(attempt, signal)
  if (result.kind === 'prepared') throw new Error('prepared, although it should have failed')
  return result
}
