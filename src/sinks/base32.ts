const alphabet = Buffer.from('abcdefghijklmnopqrstuvwxyz234567')
/** Of a SHA-256, which most are. */
const scratch = Buffer.allocUnsafeSlow(52)

/** Lower-case base32 without padding (RFC 4648 section 6): safe in a Message-ID and in a MIME boundary. */
export function base32(bytes: Uint8Array): string {
  const length = Math.ceil((bytes.length * 8) / 5)
  const text = length > scratch.length ? Buffer.allocUnsafe(length) : scratch
  let at = 0
  let bits = 0
  let bitCount = 0
  for (let index = 0; index < bytes.length; index += 1) {
    bits = ((bits << 8) | bytes[index]!) & 0xfff
    bitCount += 8
    while (bitCount >= 5) {
      bitCount -= 5
      text[at++] = alphabet[(bits >> bitCount) & 31]!
    }
  }
  if (bitCount > 0) text[at] = alphabet[(bits << (5 - bitCount)) & 31]!
  return text.toString('latin1', 0, length)
}
