import type { MailRequest } from './mail-request.ts'

const controls = /[\x00-\x1f\x7f\u2028\u2029]/ // oxlint-disable-line no-control-regex
const headerName = /^[\x21-\x39\x3b-\x7e]{1,76}$/
const ownHeaders =
  /^(from|sender|to|cc|bcc|subject|date|message-id|return-path|mime-.*|content-.*)$/i
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(\s*;[\x20-\x7e]*)?$/

/**
 * The last guard against header injection and against a second copy of a header that the message itself owns. Requests are
 * validated long before; what gets here all the same is refused, never mended.
 *
 * @returns what is wrong, or null
 */
export function checkMail(request: MailRequest, from: string): string | null {
  const addresses = [from, ...request.to, ...request.cc, ...request.bcc]
  if (request.replyTo !== null) addresses.push(request.replyTo)
  const badAddress = addresses.find(
    address => controls.test(address) || !/^[^<>]+@[^@<>\s]+$/.test(address),
  )
  if (badAddress !== undefined) return 'an address is not valid'
  if (controls.test(request.subject)) return 'the subject holds control characters'
  for (const [name, value] of Object.entries(request.headers)) {
    if (!headerName.test(name)) return 'a header name is not valid'
    if (ownHeaders.test(name)) return `the header ${name} belongs to the message`
    if (controls.test(value.replaceAll('\t', ' ')))
      return `the header ${name} holds control characters`
  }
  for (const { filename, contentType } of request.attachments) {
    if (controls.test(filename)) return 'a file name holds control characters'
    if (!mediaType.test(contentType)) return 'the content type of an attachment is not valid'
  }
  return null
}
