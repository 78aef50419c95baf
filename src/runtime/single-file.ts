import { describeError, StreamsError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Cycle } from './cycle.ts'
import type { Suspicion } from './suspicion.ts'

/**
 * A transaction that the broker refuses as too large names a partition, not the record that made it so. So the records of such a
 * cycle are processed again one by one, each in a transaction of its own with nothing else in it: the one that is refused
 * then is to blame, and goes to the dead letters.
 */
export class SingleFile {
  readonly #suspicion: Suspicion
  readonly #log: Logger
  #left = 0
  /** Number of the cycle that has one record and nothing else. */
  #alone = 0
  /** What this has thrown: handed in again, it is thrown again as it is, or its recovery would never end. */
  #unanswerable: StreamsError | undefined

  constructor(suspicion: Suspicion, log: Logger) {
    this.#suspicion = suspicion
    this.#log = log
  }

  get isOn(): boolean {
    return this.#left > 0
  }

  /** The record is the only content of this cycle. */
  took(cycle: Cycle): void {
    this.#left -= 1
    this.#alone = cycle.number
  }

  /** Throws RECORD_TOO_LARGE again when there is no record to blame: what an effect has to say does not fit. */
  tooLarge(error: StreamsError, refused: Cycle | undefined, active: Cycle): void {
    if (error === this.#unanswerable) throw error
    const records = (refused?.records ?? 0) + active.records
    const record = refused?.lastInput
    const isAlone = refused?.number === this.#alone
    if (isAlone && record && !this.#suspicion.verdict(record)) {
      this.#suspicion.condemn(record, error)
      this.#left += 1
      return
    }
    if (isAlone || records === 0) {
      this.#unanswerable = new StreamsError(
        'RECORD_TOO_LARGE',
        `${describeError(error)}: no input record is to blame, so raise max.message.bytes of that topic`,
        { cause: error },
      )
      throw this.#unanswerable
    }
    this.#left = records
    this.#log.warn({ event: 'too-large', records }, 'the records are processed one by one')
  }
}
