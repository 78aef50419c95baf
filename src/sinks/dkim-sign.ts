import { hash, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { headerFields, relaxedBodyHash, relaxedHeader } from './dkim-canonical.ts'
import type { DkimKey } from './dkim-key.ts'

/** Named once more than they occur, so that nobody can add one (RFC 6376 section 8.15): what a reader sees, and what says how to read it. */
const oversigned =
  'from:to:cc:subject:date:message-id:reply-to:mime-version:content-type:content-transfer-encoding'.split(
    ':',
  )
/** Signed where they occur; RFC 8058 section 4 asks for the two about unsubscribing. */
const signedToo = (
  'sender:in-reply-to:references:auto-submitted:feedback-id:list-id:list-unsubscribe:' +
  'list-unsubscribe-post:list-help:list-owner:list-subscribe:list-post:list-archive'
).split(':')

const signAsync = promisify(sign)

/**
 * Puts a DKIM-Signature for each key before the message (RFC 6376, RFC 8463), relaxed/relaxed. No time and no chance goes in: the same
 * message and keys have the same signatures.
 */
export async function dkimSign(message: Buffer, keys: readonly DkimKey[]): Promise<Buffer> {
  if (keys.length === 0) return message
  const end = message.indexOf('\r\n\r\n')
  const fields = headerFields(message.toString('latin1', 0, end))
  const bodyHash = await relaxedBodyHash(message.subarray(end + 4))
  const { names, lines } = signedFields(fields)
  const signatures = await Promise.all(
    keys.map(async key => {
      const unsigned = signatureField(key, names, bodyHash)
      const own = relaxedHeader({ name: 'dkim-signature', line: unsigned })
      const signature = await signatureOf([...lines, own].join('\r\n'), key)
      return `${unsigned}${folded(signature)}\r\n`
    }),
  )
  return Buffer.concat([Buffer.from(signatures.join(''), 'latin1'), message])
}

/** Several of one name are taken from the bottom up, as section 5.4.2 has it. */
function signedFields(fields: ReturnType<typeof headerFields>): {
  readonly names: readonly string[]
  readonly lines: readonly string[]
} {
  const names: string[] = []
  const lines: string[] = []
  for (const name of [...oversigned, ...signedToo]) {
    const present = fields.filter(field => field.name === name).toReversed()
    lines.push(...present.map(relaxedHeader))
    names.push(...present.map(() => name), ...(oversigned.includes(name) ? [name] : []))
  }
  return { names, lines }
}

function signatureField(
  { domain, selector, algorithm }: DkimKey,
  names: readonly string[],
  bodyHash: string,
): string {
  return [
    `DKIM-Signature: v=1; a=${algorithm}; c=relaxed/relaxed; d=${domain};`,
    ` s=${selector};`,
    ` h=${names.join(':').replaceAll(/(.{1,68}:)(?=.)/g, '$1\r\n  ')};`,
    ` bh=${bodyHash};`,
    ' b=',
  ].join('\r\n')
}

/** RSA takes about a millisecond: it is computed on libuv's threads. Ed25519 signs the hash (RFC 8463 section 3). */
async function signatureOf(text: string, { algorithm, key }: DkimKey): Promise<string> {
  const data = Buffer.from(text, 'latin1')
  const signature =
    algorithm === 'rsa-sha256'
      ? await signAsync('sha256', data, key)
      : sign(null, hash('sha256', data, 'buffer'), key)
  return signature.toString('base64')
}

function folded(signature: string): string {
  return signature.replaceAll(/.{72}(?!$)/g, '$&\r\n  ')
}
