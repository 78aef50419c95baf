import { systemClock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { EmailRequested } from '../email/records.ts'
import { systemRandom } from '../random.ts'
import type { FlagValues, Invocation } from './command.ts'
import type { Configuration } from './configuration.ts'
import { plainFromFlags, requestFlagsIn } from './request-flags.ts'
import type { RequestPublisher } from './request-publisher.ts'
import { RequestReader } from './request-reader.ts'
import { sendFile, sendOne, sendStream, type SendJob } from './send-requests.ts'

/** `send`: one request from flags, or many from a file or standard input. */
export async function sendCommand(invocation: Invocation): Promise<number> {
  const { flags, terminal } = invocation
  const file = flags.get('file')?.[0]
  const ofOneRequest = requestFlagsIn(flags)
  if (file !== undefined && ofOneRequest.length > 0) {
    throw usage(`--${ofOneRequest[0]} describes one request and --file many: give one of them`)
  }
  const many = ofOneRequest.length === 0
  const reader = new RequestReader({
    source: flags.get('source')?.[0] ?? (many ? undefined : 'mailonce-send'),
    makeRequestId: () => systemRandom.uuid(),
    nowMs: () => systemClock.nowMs(),
  })
  const request = many ? undefined : await requestFromFlags(reader, flags)

  await using resources = new AsyncDisposableStack()
  let publisher: Promise<RequestPublisher> | undefined
  const job: SendJob = {
    terminal,
    reader,
    publisher: () => (publisher ??= connect(invocation.configuration.values, resources)),
  }
  if (request !== undefined) return await sendOne(job, request)
  if (file !== undefined && file !== '-') return await sendFile(job, file)
  return await sendStream(job)
}

/** Imported late: a mistake in a request is told without waiting for a Kafka client. */
async function connect(
  configuration: Configuration,
  resources: AsyncDisposableStack,
): Promise<RequestPublisher> {
  const { openPublisher } = await import('./open-publisher.ts')
  return openPublisher(configuration, resources)
}

async function requestFromFlags(reader: RequestReader, flags: FlagValues): Promise<EmailRequested> {
  const plain = await plainFromFlags(flags)
  try {
    return reader.fromPlain(plain)
  } catch (error) {
    if (!(error instanceof StreamsError) || error.code !== 'REQUEST_INVALID') throw error
    // The field's name is the flag's, written the other way.
    const asFlag = error.message.replace(
      /^[a-zA-Z]+/,
      name => `--${name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`,
    )
    throw usage(asFlag)
  }
}

function usage(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
