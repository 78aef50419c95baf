import type { GatheredRecords, ProducedRecord } from './ports.ts'

/** Gathered records as they are: of producers in memory, which need no other form. */
export class RecordList implements GatheredRecords {
  readonly records: ProducedRecord[] = []

  add(record: ProducedRecord): void {
    this.records.push(record)
  }
}
