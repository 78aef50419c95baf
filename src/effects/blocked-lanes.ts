import type { Lane, HolderName } from './lanes.ts'

/**
 * Lanes that are held back, by the holder that has no room for them; each waits for one.
 *
 * Nobody waits for ever: after each *look* at a holder that somebody waits for, something is left behind that brings the next look, as
 * long as anybody waits. A look (`takeWoken`, or being asked whether a try may begin) finds
 * - no room: then tries are inside, and the end of each of them notes the holder; or its rate holds it back, and a timer notes it;
 * - room for some: as many lanes are awake, each with a claim to one place (`blockedBy`), and every claim ends in the next look. If the try
 *   begins and enters it is inside; if it goes elsewhere, as a sink with several relays may decide, `Tries` finds the place free and notes the
 *   holder; if it does not begin (its bytes are to be read, it has expired, it is refused, or nobody of its priority may) or the last request
 *   leaves the lane (cancelled, decided by evidence), the holder is noted; if another holder has no room for it, this one is noted; if this
 *   one has none, that was the look. A claim is kept until the turn of its lane comes: while the task rests, and while those in front of it
 *   in its priority may not begin;
 * - room for all: nobody waits any more.
 *
 * Between two looks room grows only by what notes the holder: ends of tries, timers (rate, dots that hang), a larger share, less restraint, a
 * circuit that changes. A note that nobody waits for is dropped: whoever comes to wait looks first (`obstacle`), or is noted at once
 * (`ReadyLines.hold`), because the sink looked for it some time ago. What is noted outside a turn wakes the loop, and within one
 * `hasNoted` asks for another turn. Notes are each task's own: no claim of one task keeps another from looking.
 */
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
