import type { TopicPartition } from './ports.ts'

/** Records of one partition, both ends included. */
export interface RecordRange extends TopicPartition {
  readonly first: number
  readonly last: number
}

/** Records during whose processing this instance has died so often. One record alone is convicted, several are suspected. */
export interface Suspect extends RecordRange {
  readonly deaths: number
}

/**
 * What survives the death of the process: which records it was processing. `begin` and `end` are called around every batch, so
 * they must cost next to nothing; what they write need only survive the process, not the machine.
 */
export interface ProcessingMarks extends AsyncDisposable {
  readonly suspects: readonly Suspect[]
  begin(range: RecordRange): void
  end(): void
  /** These are the suspects from now on. */
  replace(suspects: readonly Suspect[]): void
}

/** For whoever has no disk: every death is forgotten. */
export const noProcessingMarks: ProcessingMarks = Object.freeze({
  suspects: [],
  begin: () => undefined,
  end: () => undefined,
  replace: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
})

/** What is known after a death that left this mark behind: the same record again is one death more, another is a new suspect. */
export function suspectsAfterDeath(
  suspects: readonly Suspect[],
  mark: RecordRange | undefined,
): readonly Suspect[] {
  if (mark === undefined) return suspects
  const before = suspects.find(each => overlaps(each, mark))
  const others = suspects.filter(each => each !== before)
  return [...others, { ...mark, deaths: (before?.deaths ?? 0) + 1 }]
}

export function overlaps(one: RecordRange, other: RecordRange): boolean {
  return (
    one.topic === other.topic &&
    one.partition === other.partition &&
    one.first <= other.last &&
    other.first <= one.last
  )
}
