import type { Alteration } from '../alterations.ts'

/** A broken rule, as a sentence about what is done instead. */
export interface PlantedBug {
  readonly bug: string
  readonly alteration: Alteration
  /** Where the bug is none of a machine's parts: puts it in, and returns what takes it out again. */
  readonly plant?: () => () => void
  /** Where the bug shows only when identities are forgotten, milliseconds. */
  readonly windowMs?: number
}
