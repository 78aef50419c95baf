import type { Delivery } from '../../../src/effects/delivery.ts'
import { deliverySerde } from '../../../src/effects/outbox.ts'
import type { ProducedRecord, RecordProducer } from '../../../src/runtime/ports.ts'
import type { RecordList } from '../../../src/runtime/record-list.ts'
import { changed } from './planted/changed.ts'

/** Passes every call on, and tells of the deliveries that are written: those at an attempt have their transaction 1 begin. */
export function observedProducer<Producer extends RecordProducer>(
  inner: Producer,
  outboxChangelog: string,
  onDelivery: (delivery: Delivery) => void,
): Producer {
  const tell = (records: readonly ProducedRecord[]): void => {
    for (const { topic, value } of records)
      if (topic === outboxChangelog && value !== null) onDelivery(deliverySerde.deserialize(value))
  }
  const observed: Partial<RecordProducer> = {
    send: records => {
      tell(records)
      return inner.send(records)
    },
    sendGathered: gathered => {
      tell((gathered as RecordList).records)
      return inner.sendGathered(gathered)
    },
  }
  return changed(inner, observed as Partial<Producer>)
}
