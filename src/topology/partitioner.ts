const multiplier = 0x5bd1e995
const seed = 0x9747b28c

/** One step of the hash: what Kafka's Java client does with `int`, which wraps at 32 bits. */
function scramble(word: number): number {
  const product = Math.imul(word, multiplier)
  return Math.imul(product ^ (product >>> 24), multiplier)
}

/**
 * Murmur2 exactly as `org.apache.kafka.common.utils.Utils.murmur2`, as a signed 32-bit number: every Kafka client's default
 * partitioner starts from it.
 */
export function murmur2(bytes: Buffer): number {
  const length = bytes.length
  const tail = length & ~3
  let hash = seed ^ length

  for (let at = 0; at < tail; at += 4) {
    hash = Math.imul(hash, multiplier) ^ scramble(bytes.readInt32LE(at))
  }
  for (let at = length - 1; at >= tail; at -= 1) {
    hash ^= (bytes[at] ?? 0) << ((at - tail) * 8)
  }
  if (tail < length) hash = Math.imul(hash, multiplier)

  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition that Kafka's default partitioner gives a record with this key. `partitions` is at least 1. */
export function partitionForKey(key: Buffer, partitions: number): number {
  // Kafka's `toPositive` drops the sign bit; the absolute value would be another partition.
  return (murmur2(key) & 0x7fff_ffff) % partitions
}
