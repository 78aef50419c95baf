import { describeError, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { ConsumedRecord } from './ports.ts'
import {
  overlaps,
  type ProcessingMarks,
  type RecordRange,
  type Suspect,
} from './processing-marks.ts'

/** So many deaths or exceptions, and the record is not processed again. */
const failuresMax = 3

/**
 * Which records this instance does not trust. A record is condemned, and goes to the dead letters instead of being processed,
 *
 * - when the process has died three times while it was being processed, the last time alone (a batch in which a death happened is
 *   processed record by record, each with a mark of its own);
 * - when a processor has thrown three times over it;
 * - when it makes a transaction that the broker refuses as too large, alone.
 *
 * A death while waiting or sending leaves no mark, and a suspect that comes through is cleared. Each instance counts for itself.
 */
export class Suspicion {
  readonly #marks: ProcessingMarks
  readonly #log: Logger
  #suspects: readonly Suspect[]
  readonly #failures = new Map<string, number>()
  readonly #condemned = new Map<string, StreamsError>()
  #current: RecordRange | undefined

  constructor(marks: ProcessingMarks, log: Logger) {
    this.#marks = marks
    this.#log = log
    this.#suspects = marks.suspects
    for (const { deaths, ...range } of marks.suspects)
      log.warn({ event: 'died-processing', ...range, deaths }, 'this instance died processing it')
  }

  /** Why it is not to be processed; undefined when it is. */
  verdict(record: ConsumedRecord): StreamsError | undefined {
    if (this.#condemned.size === 0 && this.#suspects.length === 0) return undefined
    const convicted = this.#suspects.find(each => isConvicted(each) && covers(each, record))
    if (convicted)
      return new StreamsError(
        'PROCESSOR_FAILED',
        `the process died ${convicted.deaths} times while it processed this record`,
      )
    return this.#condemned.get(nameOf(record))
  }

  condemn(record: ConsumedRecord, reason: StreamsError): void {
    this.#condemned.set(nameOf(record), reason)
  }

  /** A processor has thrown over it: what the caller is to throw. The cycle is taken back, and the record comes again. */
  threw(record: ConsumedRecord, error: unknown): StreamsError {
    const { topic, partition, offset } = record
    const failures = (this.#failures.get(nameOf(record)) ?? 0) + 1
    this.#failures.set(nameOf(record), failures)
    const reason = new StreamsError(
      'PROCESSOR_FAILED',
      `a processor failed over ${topic}/${partition} offset ${offset}, ${failures} of ${failuresMax} times: ${describeError(error)}`,
      { cause: error },
    )
    if (failures >= failuresMax) this.condemn(record, reason)
    this.#log.warn(
      { event: 'processor-failed', topic, partition, offset, stack: stackOf(error) },
      reason.message,
    )
    return reason
  }

  // ------------------------------------------------------------ marks

  /** These are about to be processed. True when each of them must be marked alone. */
  begin(range: RecordRange): boolean {
    if (this.#suspects.some(each => overlaps(each, range))) return true
    this.#mark(range)
    return false
  }

  beginAlone({ topic, partition, offset }: ConsumedRecord): void {
    this.#mark({ topic, partition, first: offset, last: offset })
  }

  end(): void {
    this.#current = undefined
    this.#marks.end()
  }

  /** The work waits for something: a death in between is nobody's fault. Returns how it goes on. */
  pause(): () => void {
    const range = this.#current
    if (range === undefined) return () => undefined
    this.end()
    return () => this.#mark(range)
  }

  /** They have been processed: suspects among them are cleared, and convicts before them are history. */
  cleared({ topic, partition, first, last }: RecordRange): void {
    const left = this.#suspects.filter(
      each =>
        each.topic !== topic ||
        each.partition !== partition ||
        each.last > last ||
        (isConvicted(each) && each.last >= first),
    )
    if (left.length === this.#suspects.length) return
    this.#suspects = left
    this.#marks.replace(left)
  }

  #mark(range: RecordRange): void {
    this.#current = range
    this.#marks.begin(range)
  }
}

function isConvicted({ deaths, first, last }: Suspect): boolean {
  return deaths >= failuresMax && first === last
}

function covers(range: RecordRange, { topic, partition, offset }: ConsumedRecord): boolean {
  return overlaps(range, { topic, partition, first: offset, last: offset })
}

function nameOf({ topic, partition, offset }: ConsumedRecord): string {
  return `${topic}/${partition}/${offset}`
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
