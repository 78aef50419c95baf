import type { Counter, Gauge, MetricFamily, MetricRegistry } from '../metrics.ts'
import type { CircuitState } from './relay-circuit.ts'

const stateValues: Readonly<Record<CircuitState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** What is looked up of a relay. */
interface WatchedRelay {
  readonly circuit: { readonly state: CircuitState }
  readonly inFlight: number
}

/** What is counted of each relay, by its name. */
export class RelayMetrics {
  readonly tries: MetricFamily<'relay' | 'result', Counter>
  readonly #circuit: MetricFamily<'relay', Gauge>
  readonly #inFlight: MetricFamily<'relay', Gauge>
  readonly #lanes = new Map<string, WatchedRelay>()

  constructor(registry: MetricRegistry) {
    this.tries = registry.counter(
      'mailonce_relay_tries_total',
      'Tries at a relay, by what came of them.',
      ['relay', 'result'],
    )
    this.#circuit = registry.gauge(
      'mailonce_relay_circuit',
      'Circuit of a relay: 0 closed, 1 one try looks, 2 open.',
      ['relay'],
      'max',
    )
    this.#inFlight = registry.gauge('mailonce_relay_in_flight', 'Tries under way at a relay.', [
      'relay',
    ])
    registry.onRender(() => this.#collect())
  }

  watch(relay: string, lane: WatchedRelay): void {
    this.#lanes.set(relay, lane)
  }

  #collect(): void {
    for (const [relay, { circuit, inFlight }] of this.#lanes) {
      this.#circuit.labels({ relay }).set(stateValues[circuit.state])
      this.#inFlight.labels({ relay }).set(inFlight)
    }
  }
}
