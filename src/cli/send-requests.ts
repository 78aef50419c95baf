import { createReadStream } from 'node:fs'
import { describeError, StreamsError } from '../errors.ts'
import type { EmailRequested } from '../email/records.ts'
import type { ProducedRecord } from '../runtime/ports.ts'
import { lineGroups } from './request-lines.ts'
import type { RequestPublisher } from './request-publisher.ts'
import type { RequestReader } from './request-reader.ts'
import type { Terminal } from './terminal.ts'

/** Requests of one transaction. */
const groupMax = 500
const groupBytesMax = 4_000_000
/** The largest mail in base64 that anybody's broker takes, and more. */
const lineBytesMax = 256 * 1024 * 1024
const complaintsMax = 20

export interface SendJob {
  readonly terminal: Terminal
  readonly reader: RequestReader
  /** Connects at the first use: what is wrong with the requests themselves is said without a broker. */
  readonly publisher: () => Promise<RequestPublisher>
}

interface Refusals {
  count: number
}

/** One request from flags. */
export async function sendOne(job: SendJob, request: EmailRequested): Promise<number> {
  const publisher = await job.publisher()
  await publisher.publish([publisher.toRecord(request)])
  job.terminal.print(request.requestId)
  return 0
}

/**
 * A whole file or nothing: every line is checked, its size too, before the first is published. The file is read again for each
 * step, so that its length does not matter.
 */
export async function sendFile(job: SendJob, path: string): Promise<number> {
  const open = (): AsyncIterable<Buffer> => createReadStream(path)
  const refusals: Refusals = { count: 0 }
  const total = await eachRequest(job, open(), path, refusals, () => undefined)
  const nothingSent = (): StreamsError =>
    new StreamsError(
      'REQUEST_INVALID',
      `${refusals.count} of ${total} lines of ${path} are no requests: nothing was published, correct them and send the file again`,
    )
  if (refusals.count > 0) throw nothingSent()
  const publisher = await job.publisher()
  await eachRequest(job, open(), path, refusals, request => publisher.toRecord(request))
  if (refusals.count > 0) throw nothingSent()
  const published = await publishStream(job, open(), path, refusals)
  job.terminal.tell(`${published} published`)
  return 0
}

/** Line by line as they come; wrong ones are named and left out. */
export async function sendStream(job: SendJob): Promise<number> {
  const refusals: Refusals = { count: 0 }
  const published = await publishStream(job, job.terminal.stdin, 'standard input', refusals)
  if (refusals.count === 0) {
    job.terminal.tell(`${published} published`)
    return 0
  }
  throw new StreamsError(
    'REQUEST_INVALID',
    `${refusals.count} lines of standard input are no requests and were left out, ${published} were published: correct and send those ${refusals.count}`,
  )
}

async function publishStream(
  job: SendJob,
  chunks: AsyncIterable<Buffer>,
  place: string,
  refusals: Refusals,
): Promise<number> {
  let published = 0
  let ids: string[] = []
  let records: ProducedRecord[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    if (records.length === 0) return
    await (await job.publisher()).publish(records)
    // Only now: an id that is printed is one that was published.
    for (const id of ids) job.terminal.print(id)
    published += records.length
    ids = []
    records = []
    bytes = 0
  }
  for await (const lines of lineGroups(chunks, lineBytesMax)) {
    for (const line of lines) {
      const request = checked(job, place, line.number, refusals, () =>
        job.reader.fromLine(line.text),
      )
      if (request === undefined) continue
      const publisher = await job.publisher()
      const record = checked(job, place, line.number, refusals, () => publisher.toRecord(request))
      if (record === undefined) continue
      ids.push(request.requestId)
      records.push(record)
      bytes += record.value?.length ?? 0
      if (records.length === groupMax || bytes > groupBytesMax) await flush()
    }
    await flush()
  }
  return published
}

async function eachRequest(
  job: SendJob,
  chunks: AsyncIterable<Buffer>,
  place: string,
  refusals: Refusals,
  visit: (request: EmailRequested) => void,
): Promise<number> {
  let total = 0
  try {
    for await (const lines of lineGroups(chunks, lineBytesMax)) {
      for (const line of lines) {
        total += 1
        checked(job, place, line.number, refusals, () => visit(job.reader.fromLine(line.text)))
      }
    }
  } catch (error) {
    if (error instanceof StreamsError) throw error
    throw new StreamsError('REQUEST_INVALID', `${place} cannot be read: ${describeError(error)}`)
  }
  return total
}

/** What `read` returns; undefined after REQUEST_INVALID, which is told with the line's number. */
function checked<T>(
  job: SendJob,
  place: string,
  number: number,
  refusals: Refusals,
  read: () => T,
): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof StreamsError) || error.code !== 'REQUEST_INVALID') throw error
    refusals.count += 1
    if (refusals.count <= complaintsMax)
      job.terminal.tell(`${place} line ${number}: ${error.message}`)
    if (refusals.count === complaintsMax) job.terminal.tell('more of them are only counted')
    return undefined
  }
}
