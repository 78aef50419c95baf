import { Interned } from './interned.ts'
import { emptyLine, type Line, type Rows } from './rows.ts'

/** Somebody whose limits a try has to satisfy. */
export type PartyName = `source ${string}` | `destination ${string}`

/** One of the relays behind a sink, where it has room of its own. */
export type RelayName = `relay ${string}`

/** Who may have no room for a try. */
export type HolderName = PartyName | RelayName

/** A try that wants to begin. */
export interface Asking {
  /** Lower goes first. */
  readonly priority: number
  /** Everybody who must have room for it: its source and its destinations. */
  readonly parties: readonly PartyName[]
  /** Where it is known to go: the relay had no room when it was asked last. */
  readonly relay?: RelayName | undefined
}

export const destinationParty = (destination: string): PartyName => `destination ${destination}`
export const relayHolder = (relay: string): RelayName => `relay ${relay}`

/** Requests that any limit lets pass or holds back together. */
export interface Lane extends Asking {
  readonly source: string
  readonly destinationsId: number
  readonly relayId: number
  /** `open`: its requests stand in their source's line. Else they stand in a line of its own: held back, or let through again. */
  state: 'open' | 'blocked' | 'awake'
  readonly line: Line
  /** Who has no room for it; once awake, whose room it was woken for and has not taken yet. */
  blockedBy: HolderName | undefined
}

interface Destinations {
  readonly parties: readonly PartyName[]
  /** The source that was asked about last, and the parties with it: rows one after the other mostly have the same. */
  source: string | undefined
  withSource: readonly PartyName[]
  /** Those that are not open. */
  lanes: Map<string, Lane> | undefined
}

const separator = '\n'

/** Which lane a row belongs to. Only lanes that hold somebody back are kept; the others are made of the row's columns when asked for. */
export class Lanes {
  readonly #rows: Rows
  readonly #sources = new Interned(name => name)
  readonly #destinations = new Interned<Destinations>(name => ({
    parties: name === '' ? [] : name.split(separator).map(destinationParty),
    source: undefined,
    withSource: [],
    lanes: undefined,
  }))
  /** Those that had no room; 0 in the column stands for none of them. */
  readonly #relays: RelayName[] = []

  constructor(rows: Rows) {
    this.#rows = rows
  }

  /** Sources and sets of destinations that open requests have. */
  get size(): number {
    return this.#sources.size + this.#destinations.size
  }

  enter(row: number, priority: number, source: string, destinations: readonly string[]): void {
    this.#rows.priority[row] = priority
    this.#rows.source[row] = this.#sources.enter(source)
    this.#rows.destinations[row] = this.#destinations.enter(destinations.join(separator))
    this.#rows.relay[row] = 0
  }

  /** It goes to this relay, until it is entered anew. */
  sendBy(row: number, relay: RelayName): void {
    const known = this.#relays.indexOf(relay)
    this.#rows.relay[row] = (known === -1 ? this.#relays.push(relay) - 1 : known) + 1
  }

  exit(row: number): void {
    this.#sources.exit(this.#rows.source[row]!)
    this.#destinations.exit(this.#rows.destinations[row]!)
  }

  of(row: number): Lane {
    const destinationsId = this.#rows.destinations[row]!
    const priority = this.#rows.priority[row]!
    const source = this.sourceOf(row)
    const destinations = this.#destinations.get(destinationsId)
    const relayId = this.#rows.relay[row]!
    const known = destinations.lanes?.get(keyOf({ priority, relayId, source }))
    if (known !== undefined) return known
    return {
      priority,
      parties: partiesOf(destinations, source),
      relay: this.#relays[relayId - 1],
      source,
      destinationsId,
      relayId,
      state: 'open',
      line: emptyLine(),
      blockedBy: undefined,
    }
  }

  sourceOf(row: number): string {
    return this.#sources.get(this.#rows.source[row]!)
  }

  /** From now on it is the lane of its rows, until it is open again. */
  keep(lane: Lane): void {
    const destinations = this.#destinations.get(lane.destinationsId)
    destinations.lanes ??= new Map()
    destinations.lanes.set(keyOf(lane), lane)
  }

  /** Nobody stands in its line any more. */
  drop(lane: Lane): void {
    const destinations = this.#destinations.get(lane.destinationsId)
    destinations.lanes?.delete(keyOf(lane))
    if (destinations.lanes?.size === 0) destinations.lanes = undefined
  }
}

/** Names a lane among those that go to the same destinations. */
function keyOf({
  priority,
  relayId,
  source,
}: Pick<Lane, 'priority' | 'relayId' | 'source'>): string {
  return `${priority} ${relayId} ${source}`
}

function partiesOf(destinations: Destinations, source: string): readonly PartyName[] {
  if (destinations.source !== source) {
    destinations.source = source
    destinations.withSource = [`source ${source}`, ...destinations.parties]
  }
  return destinations.withSource
}
