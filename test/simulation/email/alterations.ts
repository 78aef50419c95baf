import type { Journal } from '../../../src/effects/journal.ts'
import type { KafkaCluster } from '../../../src/runtime/ports.ts'
import type { MailRequest } from '../../../src/sinks/mail-request.ts'
import type { Sink } from '../../../src/sinks/sink.ts'
import type { StateDirectory } from '../../../src/state/store.ts'
import type { Simulation } from '../../../src/testing/simulation.ts'
import type { Topology } from '../../../src/topology/topology.ts'
import type { Clock } from '../../../src/clock.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'

/** What one life of one machine is made of. */
export interface Parts {
  readonly cluster: KafkaCluster
  readonly stateDirectory: StateDirectory
  readonly journal: Journal
  readonly clock: Clock
  readonly sink: Sink<MailRequest>
}

/** Changes what a machine is made of, so that it breaks a rule: the seeds must notice. */
export interface Alteration {
  readonly parts?: (
    parts: Parts,
    around: { readonly simulation: Simulation; readonly process: SimulatedProcess },
  ) => Parts
  readonly topology?: (topology: Topology) => Topology
}

export const unaltered: Alteration = Object.freeze({})
