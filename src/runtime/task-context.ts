import type { Fact } from '../effects/flights.ts'
import type { AttemptAddress, Journal } from '../effects/journal.ts'
import type { SinkSlots } from '../effects/sink-slots.ts'
import type { Clock } from '../clock.ts'
import type { FindTable } from '../global-table.ts'
import type { Logger } from '../log.ts'
import type { Random } from '../random.ts'
import type { StateDirectory } from '../state/store.ts'
import type { Topology } from '../topology/topology.ts'
import type { Cycle } from './cycle.ts'
import type { Instances } from './instances.ts'
import type { KafkaCluster } from './ports.ts'
import type { RestoreProgress } from './restore-progress.ts'
import type { RuntimeMetrics } from './runtime-metrics.ts'
import type { Suspicion } from './suspicion.ts'
import type { TopicCatalog } from './topic-catalog.ts'

/** What a task shares with the others of its worker. */
export interface TaskContext {
  readonly applicationId: string
  readonly topology: Topology
  readonly catalog: TopicCatalog
  readonly cluster: KafkaCluster
  readonly stateDirectory: StateDirectory
  /** The global tables, which all tasks of the instance share. */
  readonly table: FindTable
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly metrics: RuntimeMetrics
  /** Who has which task. */
  readonly instances: Instances
  readonly journal: Journal
  /** Goes on where the changelogs are not what they were. */
  readonly acceptLostState: boolean
  /** What all tasks of the instance restore. */
  readonly restores: RestoreProgress
  /** Records that this instance does not trust. */
  readonly suspicion: Suspicion
  /** By effect; all tasks of the instance share them. */
  readonly slots: ReadonlyMap<string, SinkSlots>
  /** Begins the tokens of attempts; no other life of any instance has it. */
  readonly incarnation: string
  /** The cycle that is being filled. */
  readonly activeCycle: () => Cycle
  readonly wake: () => void
  /** Evidence about an attempt of a task that has left. */
  readonly onLateFact: (address: Pick<AttemptAddress, 'topic' | 'partition'>, fact: Fact) => void
}
