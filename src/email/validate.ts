import { ownedHeader } from '../sinks/owned-header.ts'
import { isUnsubscribeHeader, unsubscribeProblem } from '../sinks/unsubscribe-headers.ts'
import { requestedAheadMaxMs } from './dedup-store.ts'
import { EncodedRequest } from './encoded-request.ts'
import { isMailbox } from './mailbox.ts'
import { recipientsMax } from './recipients.ts'
import type { Attachment, EmailRequested } from './records.ts'

const requestIdCharactersMax = 128
const headerNameMax = 76
const filenameMax = 255
/** More complaints than these help nobody. */
const problemsMax = 5

const none: readonly string[] = Object.freeze([])

const controls = /[\p{Cc}\u2028\u2029]/u
// A header's value may be folded at a tab.
const controlsButTab = /[^\P{Cc}\t]|[\u2028\u2029]/u
/** ftext of RFC 5322 section 3.6.8. */
const headerName = /^[!-9;-~]+$/
/** type/subtype of RFC 2045 section 5.1 with parameters; the parts of a multipart would have to come from somewhere. */
const mediaType = /^(?!multipart\/)[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[ -~]*)?$/i

/**
 * What makes a request INVALID, in words for the people who wrote it; empty for a good one. `recordTimeMs` is when the
 * request was first seen, milliseconds.
 */
export function invalidities(request: EmailRequested, recordTimeMs: number): readonly string[] {
  const isSound = request instanceof EncodedRequest && request.isSound
  if (isSound && !isTooFarAhead(request, recordTimeMs)) return none
  const problems: string[] = []
  checkName(request, problems)
  checkAddresses(request, problems)
  checkContent(request, problems)
  checkHeaders(request.headers, problems)
  checkUnsubscribe(request, problems)
  for (const attachment of request.attachments) checkAttachment(attachment, problems)
  checkTimes(request, recordTimeMs, problems)
  return problems.length > problemsMax
    ? [...problems.slice(0, problemsMax), `and ${problems.length - problemsMax} more`]
    : problems
}

function checkName({ requestId, source }: EmailRequested, problems: string[]): void {
  if (requestId === '') problems.push('requestId is empty')
  // A character may be two units of a JavaScript string, never more.
  const long = requestId.length > requestIdCharactersMax
  if (long && Array.from(requestId.slice(0, 300)).length > requestIdCharactersMax) {
    problems.push(`requestId is longer than ${requestIdCharactersMax} characters`)
  }
  if (controls.test(requestId)) problems.push('requestId contains control characters')
  if (source === '') problems.push('source is empty')
  if (controls.test(source)) problems.push('source contains control characters')
}

function checkAddresses(request: EmailRequested, problems: string[]): void {
  const { to, cc, bcc, from, replyTo } = request
  const count = to.length + cc.length + bcc.length
  if (count === 0) problems.push('there is no recipient in to, cc or bcc')
  if (count > recipientsMax) {
    problems.push(`there are ${count} recipients, more than ${recipientsMax}`)
    return
  }
  for (const address of to) checkAddress('to', address, problems)
  for (const address of cc) checkAddress('cc', address, problems)
  for (const address of bcc) checkAddress('bcc', address, problems)
  if (from !== null) checkAddress('from', from, problems)
  if (replyTo !== null) checkAddress('replyTo', replyTo, problems)
}

function checkAddress(field: string, address: string, problems: string[]): void {
  if (!isMailbox(address)) problems.push(`${field}: ${quoted(address)} is not a bare address`)
}

function checkContent(
  { subject, text, html, attachments }: EmailRequested,
  problems: string[],
): void {
  if (controls.test(subject)) problems.push('subject contains control characters')
  const empty = (text ?? '') === '' && (html ?? '') === ''
  if (empty && attachments.length === 0) problems.push('there is no body: neither text nor html')
}

function checkHeaders(headers: EmailRequested['headers'], problems: string[]): void {
  for (const [name, value] of Object.entries(headers)) {
    if (name.length > headerNameMax || !headerName.test(name)) {
      problems.push(`headers: ${quoted(name)} is not a header name`)
    } else if (ownedHeader.test(name)) {
      problems.push(`headers: ${name} belongs to the message itself`)
    }
    if (controlsButTab.test(value)) {
      problems.push(
        `headers: the value of ${quoted(name)} contains line breaks or control characters`,
      )
    }
  }
}

function checkUnsubscribe({ unsubscribe, headers }: EmailRequested, problems: string[]): void {
  if (unsubscribe === null) return
  const problem = unsubscribeProblem(unsubscribe)
  if (problem !== null) problems.push(`unsubscribe: ${problem}`)
  const twice = Object.keys(headers).find(isUnsubscribeHeader)
  if (twice !== undefined) {
    problems.push(`headers: ${quoted(twice)} stands beside unsubscribe, which makes it: keep one`)
  }
}

function checkAttachment({ filename, contentType }: Attachment, problems: string[]): void {
  if (filename === '' || filename.length > filenameMax || controls.test(filename)) {
    problems.push(`attachments: ${quoted(filename)} is not a file name`)
  }
  if (!mediaType.test(contentType)) {
    problems.push(`attachments: ${quoted(contentType)} is not a content type`)
  }
}

function checkTimes(request: EmailRequested, recordTimeMs: number, problems: string[]): void {
  const { notBefore, expiresAt } = request
  if (isTooFarAhead(request, recordTimeMs)) {
    problems.push('requestedAt lies more than a day ahead')
  }
  if (notBefore !== null && expiresAt !== null && notBefore >= expiresAt) {
    problems.push('notBefore is not before expiresAt')
  }
}

function isTooFarAhead({ requestedAt }: EmailRequested, recordTimeMs: number): boolean {
  return requestedAt > recordTimeMs + requestedAheadMaxMs
}

/** As JSON, so that control characters show, and cut. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
