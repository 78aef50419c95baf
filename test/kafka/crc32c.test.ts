import { crc32c as libraryCrc32c } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { crc32c } from '../../src/kafka/crc32c.ts'

// RFC 3720, appendix B.4, and what everybody tries.
test.each([
  { what: '32 zeros', bytes: Buffer.alloc(32), sum: 0x8a9136aa },
  { what: '32 ones', bytes: Buffer.alloc(32, 0xff), sum: 0x62a8ab43 },
  {
    what: 'ascending bytes',
    bytes: Buffer.from(Array.from({ length: 32 }, (_, i) => i)),
    sum: 0x46dd794e,
  },
  { what: 'digits', bytes: Buffer.from('123456789'), sum: 0xe3069283 },
  { what: 'nothing', bytes: Buffer.alloc(0), sum: 0 },
])('$what', ({ bytes, sum }) => {
  expect(crc32c(bytes)).toBe(sum)
})

test('a part of a buffer is summed alone, as the library does', () => {
  const part = Buffer.from('some bytes in the middle').subarray(5, 10)

  expect(crc32c(part)).toBe(libraryCrc32c(part))
})
