import type { CircuitState } from '../circuit.ts'
import type { Across } from '../metric-snapshot.ts'
import type { Counter, Gauge, MetricFamily, MetricRegistry } from '../metrics.ts'
import type { LaneResult } from './relay-lane.ts'

const stateValues: Readonly<Record<CircuitState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** What is looked up of a relay. */
interface WatchedRelay {
  readonly circuit: { readonly state: CircuitState }
  readonly room: {
    readonly inFlight: number
    readonly connections: number
    readonly perSecond: number
  }
}

/** What is counted of each relay, by its name. */
export class RelayMetrics {
  readonly #tries: MetricFamily<'relay' | 'result', Counter>
  readonly #circuit: MetricFamily<'relay', Gauge>
  readonly #inFlight: MetricFamily<'relay', Gauge>
  readonly #inFlightMax: MetricFamily<'relay', Gauge>
  readonly #perSecondMax: MetricFamily<'relay', Gauge>
  readonly #lanes = new Map<string, WatchedRelay>()

  constructor(registry: MetricRegistry) {
    const gauge = (name: string, help: string, across?: Across): MetricFamily<'relay', Gauge> =>
      registry.gauge(name, help, ['relay'], across)
    this.#tries = registry.counter(
      'mailonce_relay_tries_total',
      'Tries at a relay, by what came of them.',
      ['relay', 'result'],
    )
    this.#circuit = gauge(
      'mailonce_relay_circuit',
      'Circuit of a relay: 0 closed, 1 one try looks, 2 open.',
      'max',
    )
    this.#inFlight = gauge('mailonce_relay_in_flight', 'Tries under way at a relay.')
    this.#inFlightMax = gauge(
      'mailonce_relay_in_flight_max',
      'Tries under way at a relay that it gets at most: less than configured after it has asked for less.',
    )
    this.#perSecondMax = gauge(
      'mailonce_relay_per_second_max',
      'Tries a second that a relay gets at most from this instance; +Inf: nothing limits them.',
    )
    registry.onRender(() => this.#collect())
  }

  /** Counts the tries at one relay. */
  triesAt(relay: string): (result: LaneResult) => void {
    const counters = new Map<LaneResult, Counter>()
    return result => {
      let counter = counters.get(result)
      if (counter === undefined) {
        counter = this.#tries.labels({ relay, result })
        counters.set(result, counter)
      }
      counter.inc()
    }
  }

  watch(relay: string, lane: WatchedRelay): void {
    this.#lanes.set(relay, lane)
  }

  #collect(): void {
    for (const [relay, { circuit, room }] of this.#lanes) {
      this.#circuit.labels({ relay }).set(stateValues[circuit.state])
      this.#inFlight.labels({ relay }).set(room.inFlight)
      this.#inFlightMax.labels({ relay }).set(room.connections)
      this.#perSecondMax.labels({ relay }).set(room.perSecond)
    }
  }
}
