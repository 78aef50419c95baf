/** The finalizer of murmur3 for 32 bits (MurmurHash3.cpp, fmix32): every bit of the result depends on every bit of the hash. */
export function fmix32(hash: number): number {
  let bits = hash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
