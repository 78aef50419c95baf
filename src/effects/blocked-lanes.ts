import type { Lane, HolderName } from './lanes.ts'

/** Lanes that are held back, by the party that has no room for them; each waits for one. */
export class BlockedLanes {
  readonly #byParty = new Map<HolderName, Map<number, Set<Lane>>>()
  /** Parties that may have room again. */
  readonly #noted = new Set<HolderName>()
  #count = 0
  #turn = 0

  get count(): number {
    return this.#count
  }

  /** There may be room that nobody was woken for. */
  get hasNoted(): boolean {
    return this.#noted.size > 0
  }

  waitsFor(party: HolderName): boolean {
    return this.#byParty.has(party)
  }

  add(lane: Lane, party: HolderName): void {
    let waiting = this.#byParty.get(party)
    if (waiting === undefined) this.#byParty.set(party, (waiting = new Map()))
    let lanes = waiting.get(lane.priority)
    if (lanes === undefined) waiting.set(lane.priority, (lanes = new Set()))
    lanes.add(lane)
    this.#count += 1
  }

  delete(lane: Lane): void {
    const party = lane.blockedBy!
    const waiting = this.#byParty.get(party)!
    const lanes = waiting.get(lane.priority)!
    lanes.delete(lane)
    this.#count -= 1
    if (lanes.size === 0) waiting.delete(lane.priority)
    if (waiting.size === 0) this.#byParty.delete(party)
  }

  noteRoom(party: HolderName): void {
    if (this.#byParty.has(party)) this.#noted.add(party)
  }

  /** Takes out as many as there is room for, of each party that was noted: more would only be refused again. */
  takeWoken(roomOf: (party: HolderName) => number): Lane[] {
    const woken: Lane[] = []
    for (const party of this.#noted)
      for (let room = roomOf(party); room > 0; room -= 1) {
        const lane = this.#next(party)
        if (lane === undefined) break
        this.delete(lane)
        woken.push(lane)
      }
    this.#noted.clear()
    return woken
  }

  /** The longest waiting of the lowest priority; every eighth turn is for the others, so that none starves. */
  #next(party: HolderName): Lane | undefined {
    const waiting = this.#byParty.get(party)
    if (waiting === undefined) return undefined
    this.#turn += 1
    const priorities = [...waiting.keys()].toSorted((a, b) => a - b)
    const others = priorities.length - 1
    const isForOthers = others > 0 && this.#turn % 8 === 0
    const index = isForOthers ? 1 + ((this.#turn / 8) % others) : 0
    for (const lane of waiting.get(priorities[index]!)!) return lane
    return undefined
  }
}
