import type { Processor, StreamRecord } from './topology.ts'

/** Forwards what the predicate lets through. */
export function filtering<In extends StreamRecord>(
  predicate: (record: In) => boolean,
): Processor<In, In> {
  return {
    process(record, context) {
      if (predicate(record)) context.forward(record)
    },
  }
}

/** Forwards what the function makes of each record. */
export function mapping<In extends StreamRecord, Out extends StreamRecord>(
  map: (record: In) => Out,
): Processor<In, Out> {
  return {
    process(record, context) {
      context.forward(map(record))
    },
  }
}

/** Forwards each record to the first child whose predicate says yes, and drops it when none does. */
export function branching<In extends StreamRecord>(
  branches: readonly (readonly [child: string, predicate: (record: In) => boolean])[],
): Processor<In, In> {
  return {
    process(record, context) {
      const chosen = branches.find(([, predicate]) => predicate(record))
      if (chosen !== undefined) context.forward(record, chosen[0])
    },
  }
}

/** Forwards everything: several parents become one name. */
export function merging<In extends StreamRecord>(): Processor<In, In> {
  return {
    process(record, context) {
      context.forward(record)
    },
  }
}
