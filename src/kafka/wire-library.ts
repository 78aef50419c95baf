import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type * as Library from '@platformatic/kafka'

/**
 * The parts of the wire library that are used: its requests and its encoding. Its index loads clients, registries and schema validators
 * besides, some 20 MB that every worker would hold. The version is pinned, so the paths inside of it are what they are.
 */
const index = pathToFileURL(createRequire(import.meta.url).resolve('@platformatic/kafka'))
const [apis, protocol, errors, consumerProtocol] = (await Promise.all(
  [
    './apis/index.js',
    './protocol/index.js',
    './errors.js',
    './clients/consumer/consumer-protocol.js',
  ].map(path => import(new URL(path, index).href)),
)) as [typeof Library, typeof Library, typeof Library, typeof Library]

export const {
  ConfigResourceTypes,
  FindCoordinatorKeyTypes,
  addOffsetsToTxnV4,
  addPartitionsToTxnV3,
  apiVersionsV4,
  createAPI,
  createTopicsV7,
  describeConfigsV4,
  endTxnV4,
  fetchV17,
  findCoordinatorV6,
  heartbeatV4,
  initProducerIdV5,
  joinGroupV9,
  leaveGroupV5,
  listOffsetsV9,
  metadataV12,
  offsetCommitV9,
  offsetFetchV9,
  produceV11,
  saslAuthenticateV2,
  saslHandshakeV1,
  syncGroupV5,
  txnOffsetCommitV4,
} = apis
export const {
  Reader,
  Writer,
  compressionsAlgorithmsByBitmask,
  crc32c,
  protocolErrorsCodesById,
  saslPlain,
  saslScramSha,
} = protocol
export const { NetworkError, ResponseError, TimeoutError, UnexpectedCorrelationIdError } = errors
export const {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} = consumerProtocol
