import type { RecordHeader } from '../topology/topology.ts'
import {
  applicationIdHeader,
  type FirstPlace,
  originHeaders,
  withHeaders,
} from './record-headers.ts'
import { newTrace, ownTrace } from './trace-headers.ts'

/** What an accepted request carries: its producer's headers, whose it is, where it first stood, and its trace. */
export function acceptedHeaders(
  applicationId: string,
  place: FirstPlace,
  identity: string,
  received: readonly RecordHeader[],
): readonly RecordHeader[] {
  const [topic, partition, offset, timestamp] = originHeaders(place)
  const trace = ownTrace(received)
  const ours = [
    applicationIdHeader(applicationId),
    topic,
    partition,
    offset,
    timestamp,
    trace === undefined ? newTrace(identity, partition, offset, timestamp) : trace[0]!,
  ]
  if (trace !== undefined)
    for (let index = 1; index < trace.length; index += 1) ours.push(trace[index]!)
  return withHeaders(received, ours)
}
