import type { Clock } from '../clock.ts'
import type { FindTable } from '../global-table.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import type { KeyValueStore } from '../state/store.ts'
import type { Delivery } from './delivery.ts'
import type { EffectDeadLetter, EffectDefinition, EffectOrigin, EffectOutput } from './effect.ts'
import type { Fact } from './flights.ts'
import type { AttemptAddress, Journal } from './journal.ts'
import type { SinkSlots } from './sink-slots.ts'

/** The store of the effect as the engine needs it: besides the synchronous view of the cycle, reads that may wait. */
export interface OutboxStore extends KeyValueStore<Delivery> {
  /** Through the overlays to the disk, in the order of the keys. */
  read(keys: readonly string[]): Promise<(Delivery | undefined)[]>
  scanCommitted(
    prefix: string,
    afterKey: string,
    limit: number,
  ): Promise<(readonly [key: string, value: Delivery])[]>
}

/** A record of the effect's input. */
export interface EffectInput<Request> {
  readonly request: Request
  readonly timestampMs: number
  readonly key: Buffer
  readonly headers: Delivery['headers']
  readonly origin: EffectOrigin
  readonly payload: Buffer
}

export type Emit = (output: EffectOutput) => void

export interface EngineOptions<Request> {
  readonly definition: EffectDefinition<Request>
  readonly store: OutboxStore
  readonly slots: SinkSlots
  readonly table: FindTable
  readonly journal: Journal
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Begins every token; no other life of any instance has it. */
  readonly incarnation: string
  /** Where evidence about this task's attempts goes when the task has left. */
  readonly address: Pick<AttemptAddress, 'topic' | 'partition'>
  readonly wake: () => void
  /** A fact that came after `close`: for whoever owns the request now. */
  readonly onLateFact: (fact: Fact) => void
  /** Writes into the active cycle, like `Emit`. */
  readonly deadLetter: (letter: EffectDeadLetter) => void
  /** Counts ends and tries by outcome. */
  readonly count: (what: 'outcome' | 'end', kind: string) => void
}
