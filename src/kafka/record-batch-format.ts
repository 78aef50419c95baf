/** Where the fields of a record batch stand (magic 2, KIP-98). Lengths count from behind the length field. */
export const batchLayout = Object.freeze({
  baseOffset: 0,
  length: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  checksum: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
})

/** Bytes before the part that the length field counts. */
export const batchPrefixBytes = 12

export const compressionMask = 0b111
export const logAppendTimeFlag = 1 << 3
export const transactionalFlag = 1 << 4
export const controlFlag = 1 << 5

/** Type of a control record, the second field of its key. */
export const abortMarkerType = 0
