import type { Serde, ValueLayout } from '../serde.ts'
import { EncodedRequest } from './encoded-request.ts'
import type { EmailRequested } from './records.ts'
import { type RequestLayout, requestLayout } from './request-layout.ts'

/**
 * Requests that are decoded when, and as far as, somebody asks. Values that the codec may know otherwise, and all that is
 * written in another layout or form, are decoded at once. What does not decode says so at once in any case.
 */
export function requestSerde(codec: Serde<EmailRequested>): Serde<EmailRequested> {
  const layouts = new WeakMap<ValueLayout, RequestLayout | undefined>()
  let last: { readonly value: ValueLayout; readonly request: RequestLayout | undefined } | undefined
  const layoutIn = (value: ValueLayout): RequestLayout | undefined => {
    // Of one writer after the other, mostly.
    if (last?.value === value) return last.request
    if (!layouts.has(value)) layouts.set(value, requestLayout(value.schema))
    last = { value, request: layouts.get(value) }
    return last.request
  }
  return {
    isReady: bytes => codec.isReady(bytes),
    prepare: bytes => codec.prepare(bytes),
    serialize: value => codec.serialize(value),
    deserialize: bytes => {
      const layout = codec.layoutOf?.(bytes)
      const requestsLayout = layout && layoutIn(layout)
      return (
        (requestsLayout && EncodedRequest.read(bytes, requestsLayout, layout, codec)) ??
        codec.deserialize(bytes)
      )
    },
  }
}
