import { expect, test } from 'vitest'
import { murmur2, partitionForKey } from '../../src/topology/partitioner.ts'

// Kafka's own vectors: UtilsTest.testMurmur2.
test.each([
  { text: '21', hash: -973_932_308 },
  { text: 'foobar', hash: -790_332_482 },
  { text: 'a-little-bit-long-string', hash: -985_981_536 },
  { text: 'a-little-bit-longer-string', hash: -1_486_304_829 },
  { text: 'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', hash: -58_897_971 },
  { text: 'abc', hash: 479_470_107 },
])('murmur2 of $text is what the Java client computes', ({ text, hash }) => {
  const bytes = Buffer.from(text)

  expect(murmur2(bytes)).toBe(hash)
})

test.each([
  { text: '21', partitions: 6, partition: (-973_932_308 & 0x7fff_ffff) % 6 },
  { text: 'foobar', partitions: 12, partition: (-790_332_482 & 0x7fff_ffff) % 12 },
  { text: 'abc', partitions: 6, partition: 479_470_107 % 6 },
])(
  'a negative hash loses its sign bit and nothing else: $text',
  ({ text, partitions, partition }) => {
    const key = Buffer.from(text)

    expect(partitionForKey(key, partitions)).toBe(partition)
  },
)

test('an empty key has a partition as well', () => {
  expect(partitionForKey(Buffer.alloc(0), 6)).toBe((275_646_681 & 0x7fff_ffff) % 6)
})
