import { setImmediate } from 'node:timers/promises'
import type { MailIdentity } from './composed-mail.ts'
import { mailComposer, mailComposerEncoder } from './mail-composer-encoder.ts'
import type { MailRequest } from './mail-request.ts'
import { plainMail } from './plain-mail-encoder.ts'
import { base64Lines, encodeText, type TextEncoding } from './text-encoding.ts'

type MimeNode = ReturnType<typeof mailComposer>

/** Beyond it nodemailer encodes text in pieces, and where they meet its line breaks may fall otherwise. */
const textLengthMax = 16 * 1024
/** A whole number of lines: 57 bytes make a line of 76 characters (RFC 2045 section 6.8). */
const base64PieceBytes = 57 * 4096

/**
 * Writes the tree that MailComposer builds, with nodemailer's own header and text encoding but without its streams: the same
 * bytes for an eighth of the CPU. Shapes that need those streams are left to them.
 */
export function mimeTreeEncoder(
  request: MailRequest,
  identity: MailIdentity,
): Buffer | Promise<Buffer> {
  if (!isCommonShape(request)) return mailComposerEncoder(request, identity)
  return plainMail(request, identity) ?? writeTree(request, identity)
}

async function writeTree(request: MailRequest, identity: MailIdentity): Promise<Buffer> {
  const pieces: Buffer[] = []
  await writeNode(mailComposer(request, identity), pieces)
  const lastPiece = pieces.at(-1)
  if (lastPiece === undefined || lastPiece.at(-1) !== 0x0a) pieces.push(Buffer.from('\r\n'))
  return Buffer.concat(pieces)
}

/** No large text, none that ends in a space, no attached message. */
function isCommonShape({ text, html, attachments }: MailRequest): boolean {
  return (
    isCommonText(text ?? '') &&
    isCommonText(html ?? '') &&
    attachments.every(({ contentType }) => !/^message\//i.test(contentType))
  )
}

function isCommonText(content: string): boolean {
  return content.length <= textLengthMax && !content.endsWith(' ') && !content.endsWith('\t')
}

async function writeNode(node: MimeNode, pieces: Buffer[]): Promise<void> {
  const transferEncoding = node.getTransferEncoding()
  pieces.push(Buffer.from(`${node.buildHeaders()}\r\n\r\n`))
  const { boundary, childNodes, content, multipart } = node
  if (typeof multipart === 'string' && typeof boundary === 'string') {
    for (const [index, child] of childNodes.entries()) {
      pieces.push(Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n`))
      await writeNode(child, pieces)
    }
    pieces.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  } else if (typeof content === 'string') {
    if (content !== '')
      pieces.push(Buffer.from(encodeText(content, transferEncoding as TextEncoding)))
  } else if (Buffer.isBuffer(content)) {
    await writeBase64(content, pieces)
  }
}

/** Piece by piece, so that the event loop turns while a large attachment is encoded. */
async function writeBase64(content: Buffer, pieces: Buffer[]): Promise<void> {
  for (let start = 0; start < content.length; start += base64PieceBytes) {
    const end = Math.min(start + base64PieceBytes, content.length)
    const separator = start === 0 ? '' : '\r\n'
    pieces.push(Buffer.from(separator + base64Lines(content.subarray(start, end)), 'latin1'))
    if (end < content.length) await setImmediate()
  }
}
