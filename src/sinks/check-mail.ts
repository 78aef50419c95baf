import type { MailRequest } from './mail-request.ts'
import { ownedHeader } from './owned-header.ts'
import { isUnsubscribeHeader, unsubscribeProblem } from './unsubscribe-headers.ts'

const controls = /[\x00-\x1f\x7f\u2028\u2029]/ // oxlint-disable-line no-control-regex
/** What most addresses are: nothing of it needs a closer look. */
const plainAddress = /^[\w.+-]+@[\w.-]+$/
const bareAddress = /^[^<>]+@[^@<>\s]+$/
/** A header is folded where JavaScript sees white space, and a line may go on with nothing but a space or a tab. */
const oddSpace = /[^\S ]/
const headerName = /^[\x21-\x39\x3b-\x7e]{1,76}$/
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?$/

/**
 * The last guard against header injection and against a second copy of a header that the message itself owns. Requests are
 * validated long before; what gets here all the same is refused, never mended.
 *
 * @returns what is wrong, or null
 */
export function checkMail(request: MailRequest, from: string): string | null {
  const areBare =
    isBareAddress(from) &&
    request.to.every(isBareAddress) &&
    request.cc.every(isBareAddress) &&
    request.bcc.every(isBareAddress) &&
    (request.replyTo === null || isBareAddress(request.replyTo))
  if (!areBare) return 'an address is not valid'
  if (controls.test(request.subject)) return 'the subject holds control characters'
  for (const [name, value] of Object.entries(request.headers)) {
    if (!headerName.test(name)) return 'a header name is not valid'
    if (ownedHeader.test(name)) return `the header ${name} belongs to the message`
    if (controls.test(value.replaceAll('\t', ' ')))
      return `the header ${name} holds control characters`
  }
  if (request.unsubscribe) {
    const problem = unsubscribeProblem(request.unsubscribe)
    if (problem !== null) return `unsubscribe: ${problem}`
    const twice = Object.keys(request.headers).find(isUnsubscribeHeader)
    if (twice !== undefined) return `the header ${twice} stands beside unsubscribe`
  }
  for (const { filename, contentType } of request.attachments) {
    if (controls.test(filename)) return 'a file name holds control characters'
    if (!mediaType.test(contentType)) return 'the content type of an attachment is not valid'
  }
  return null
}

function isBareAddress(address: string): boolean {
  if (plainAddress.test(address)) return true
  return !oddSpace.test(address) && !controls.test(address) && bareAddress.test(address)
}
