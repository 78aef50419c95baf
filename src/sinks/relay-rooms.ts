import type { RelayLane } from './relay-lane.ts'
import type { RelayRooms } from './sink.ts'

/** The room of each of several relays, by its name. */
export class LaneRooms implements RelayRooms {
  readonly #lanes: ReadonlyMap<string, Pick<RelayLane, 'free'>>
  readonly #listeners: ((relay: string) => void)[] = []

  constructor(lanes: ReadonlyMap<string, Pick<RelayLane, 'free'>>) {
    this.#lanes = lanes
  }

  /** All of them are looked at where there is none: whichever has room first tells. */
  get hasRoom(): boolean {
    for (const { free } of this.#lanes.values()) if (free > 0) return true
    return false
  }

  roomAt(relay: string): number {
    return this.#lanes.get(relay)?.free ?? Infinity
  }

  onRoom(listener: (relay: string) => void): void {
    this.#listeners.push(listener)
  }

  tell(relay: string): void {
    for (const listener of this.#listeners) listener(relay)
  }
}
