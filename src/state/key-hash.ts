import { fmix32 } from '../fmix32.ts'

/**
 * 32 bits of a key, every one of which depends on every character: murmur3 over its UTF-16 units, two at a time. Only for what lies in
 * memory: it may change with a release.
 */
export function hashOfKey(key: string): number {
  const { length } = key
  let hash = 0x9747b28c
  let index = 0
  for (; index + 1 < length; index += 2) {
    hash ^= scrambled(key.charCodeAt(index) | (key.charCodeAt(index + 1) << 16))
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64
  }
  if (index < length) hash ^= scrambled(key.charCodeAt(index))
  return fmix32(hash ^ length)
}

function scrambled(units: number): number {
  const bits = Math.imul(units, 0xcc9e2d51)
  return Math.imul((bits << 15) | (bits >>> 17), 0x1b873593)
}
