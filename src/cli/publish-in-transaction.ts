import { StreamsError } from '../errors.ts'
import type { ProducedRecord, TransactionalProducer } from '../runtime/ports.ts'

/** Transactions in a row that may fail for one group of records. */
const triesMax = 5

/** All or none of them. What failed, or may have, is written again: for records that say the same twice as once. */
export async function publishInTransaction(
  producer: TransactionalProducer,
  records: readonly ProducedRecord[],
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await producer.send(records)
      await producer.commit()
      return
    } catch (error) {
      const recovery = error instanceof StreamsError ? error.recovery : undefined
      if ((recovery !== 'retry' && recovery !== 'resolve') || tries === triesMax) throw error
      // Ends the transaction of the failed try, whatever became of it.
      await producer.init()
    }
  }
}
