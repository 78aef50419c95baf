import { BlockedLanes } from './blocked-lanes.ts'
import { ExpiryOrder } from './expiry-order.ts'
import type { Lane, Lanes, HolderName } from './lanes.ts'
import { emptyLine, type Line, noRow, type Rows } from './rows.ts'

/**
 * Whether a try may begin: `begun` and `taken` take the request out of its line, with and without using up room; `full`: nobody of
 * this priority may begin now; else the party that has no room for it.
 */
export type Verdict = 'begun' | 'taken' | 'full' | HolderName
export type Admit = (lane: Lane, row: number) => Verdict

/** Of the column `aside`: it is not ready. */
const inNoLine = 2

/** What is ready of one priority and one source. */
interface SourceLine {
  readonly level: Level
  readonly source: string
  /** In the order of arrival: what nobody has held back yet. */
  readonly line: Line
  /** Those of the line that expire: they go before it, but for one turn in four. */
  readonly expiring: ExpiryOrder
  turn: number
  /** Lanes that were held back and may try again, by turns with the line. */
  readonly awake: Set<Lane>
  isLaneNext: boolean
}

interface Level {
  readonly priority: number
  readonly sources: Map<string, SourceLine>
  /** Those that have somebody to try, the next one first. */
  readonly ring: Set<SourceLine>
}

/** Requests that are set aside at most in one go, when whole lines are held back: the loop goes on in between. */
const movesMax = 2000

/**
 * What is ready to be tried, and whose turn it is: by priority, within it by turns between the sources, within a source those that
 * expire first before the others, which follow in the order of arrival and have every fourth turn. What a limit holds back is set aside when its turn comes, lane by lane: it costs nothing from then on and stands in nobody's way.
 */
export class ReadyLines {
  readonly #rows: Rows
  readonly #lanes: Lanes
  readonly #levels: Level[] = []
  readonly #blocked = new BlockedLanes()
  #count = 0
  #turn = 0
  #moves = 0

  constructor(rows: Rows, lanes: Lanes) {
    this.#rows = rows
    this.#lanes = lanes
  }

  get count(): number {
    return this.#count
  }

  /** Lanes that are held back. */
  get blockedCount(): number {
    return this.#blocked.count
  }

  /** Lines were not looked through to their end, or there is room that nobody was woken for yet: begin again. */
  get isUnfinished(): boolean {
    return this.#moves >= movesMax || this.#blocked.hasNoted
  }

  /** Behind those that came before it; with `isFirst` before them. */
  add(row: number, isFirst = false): void {
    this.#count += 1
    const lane = isFirst ? this.#lanes.of(row) : undefined
    const isAside = lane !== undefined && lane.state !== 'open'
    this.#rows.aside[row] = isAside ? 1 : 0
    if (isAside) {
      this.#rows.pushFirst(lane.line, row)
      return
    }
    const source = this.#sourceLine(this.#rows.priority[row]!, this.#lanes.sourceOf(row))
    if (isFirst) this.#rows.pushFirst(source.line, row)
    else this.#rows.pushLast(source.line, row)
    this.#noteExpiry(source, row)
    source.level.ring.add(source)
  }

  /** Its turn had come, and this one had no room for it: it is set aside, and wakes when there is. */
  hold(row: number, holder: HolderName): void {
    this.#count += 1
    const lane = this.#lanes.of(row)
    this.#rows.aside[row] = 1
    this.#rows.pushLast(lane.line, row)
    if (lane.state === 'open') this.#block(lane, holder)
    // There may have been room since it was asked for.
    this.#blocked.noteRoom(holder)
  }

  remove(row: number): void {
    this.#count -= 1
    const source = this.#sourceLine(this.#rows.priority[row]!, this.#lanes.sourceOf(row))
    if (this.#rows.aside[row] === 1) {
      const lane = this.#lanes.of(row)
      this.#rows.leave(lane.line, row)
      if (lane.line.size === 0) this.#open(lane, source)
    } else this.#rows.leave(source.line, row)
    this.#rows.aside[row] = inNoLine
    if (source.line.size + source.awake.size === 0) this.#forget(source)
  }

  /** True when somebody waits for room of this party. */
  waitsFor(party: HolderName): boolean {
    return this.#blocked.waitsFor(party)
  }

  /** The party may have room again. */
  noteRoom(party: HolderName): void {
    this.#blocked.noteRoom(party)
  }

  /** As many of those who were held back try again as there is room for now. Call it before `take`s. */
  wake(roomOf: (party: HolderName) => number): void {
    this.#moves = 0
    for (const lane of this.#blocked.takeWoken(roomOf)) {
      const source = this.#sourceLine(lane.priority, lane.source)
      lane.state = 'awake'
      source.awake.add(lane)
      source.level.ring.add(source)
    }
  }

  /** The next one that may begin, out of its line; `noRow` when there is none. */
  take(admit: Admit): number {
    for (const level of inTurn(this.#levels, this.#turn + 1)) {
      const row = this.#takeOf(level, admit)
      if (row === noRow) continue
      this.#turn += 1
      return row
    }
    return noRow
  }

  #takeOf(level: Level, admit: Admit): number {
    for (let source = first(level.ring); source !== undefined; source = first(level.ring)) {
      const row = this.#takeFrom(source, admit)
      if (row === 'full') return noRow
      if (source.line.size + source.awake.size === 0) this.#forget(source)
      // Behind the others, until its next turn.
      else moveLast(level.ring, source)
      if (row !== noRow) return row
      if (this.#moves >= movesMax) return noRow
    }
    return noRow
  }

  #takeFrom(source: SourceLine, admit: Admit): number | 'full' {
    while (this.#moves < movesMax && source.line.size + source.awake.size > 0) {
      const lane = first(source.awake)
      const isLaneNext = lane !== undefined && (source.isLaneNext || source.line.size === 0)
      source.isLaneNext = !isLaneNext
      const verdict = isLaneNext ? this.#tryLane(source, lane, admit) : this.#tryLine(source, admit)
      if (verdict !== undefined) return verdict
    }
    return noRow
  }

  #tryLane(source: SourceLine, lane: Lane, admit: Admit): number | 'full' | undefined {
    const row = lane.line.head
    const verdict = admit(lane, row)
    if (verdict === 'full') {
      // Perhaps not for others, of a higher priority.
      this.#giveUp(lane)
      return 'full'
    }
    if (verdict !== 'begun' && verdict !== 'taken') {
      this.#block(lane, verdict)
      source.awake.delete(lane)
      return undefined
    }
    this.#took(lane, verdict)
    this.#rows.leave(lane.line, row)
    this.#rows.aside[row] = inNoLine
    if (lane.line.size > 0) moveLast(source.awake, lane)
    else {
      source.awake.delete(lane)
      lane.state = 'open'
      this.#lanes.drop(lane)
    }
    return row
  }

  #tryLine(source: SourceLine, admit: Admit): number | 'full' | undefined {
    const row = this.#nextOf(source)
    const lane = this.#lanes.of(row)
    const verdict = lane.state === 'open' ? admit(lane, row) : undefined
    if (verdict === 'full') return 'full'
    source.turn += 1
    this.#rows.leave(source.line, row)
    if (verdict === 'begun' || verdict === 'taken') {
      this.#rows.aside[row] = inNoLine
      this.#count -= 1
      return row
    }
    this.#moves += 1
    this.#rows.aside[row] = 1
    this.#rows.pushLast(lane.line, row)
    if (verdict !== undefined) this.#block(lane, verdict)
    return undefined
  }

  #noteExpiry(source: SourceLine, row: number): void {
    const expiresAtMs = this.#rows.expiresAtMs[row]!
    if (expiresAtMs === Infinity) return
    source.expiring.add(row, expiresAtMs)
    source.expiring.tidy(source.line.size, this.#standsIn(source))
  }

  #nextOf(source: SourceLine): number {
    const isForHead = source.turn % 4 === 3 || source.expiring.size === 0
    const expiring = isForHead ? noRow : source.expiring.first(this.#standsIn(source))
    return expiring === noRow ? source.line.head : expiring
  }

  /** A row's number is used again by other requests: an entry holds as long as the row stands in this line and expires then. */
  #standsIn({ source, level }: SourceLine): (row: number, expiresAtMs: number) => boolean {
    const { aside, expiresAtMs, priority } = this.#rows
    return (row, atMs) =>
      aside[row] === 0 &&
      expiresAtMs[row] === atMs &&
      priority[row] === level.priority &&
      this.#lanes.sourceOf(row) === source
  }

  #took(lane: Lane, verdict: 'begun' | 'taken'): void {
    this.#count -= 1
    if (verdict === 'taken') this.#giveUp(lane)
    lane.blockedBy = undefined
  }

  /** Room that this one was woken for and does not take is for somebody else. */
  #giveUp(lane: Lane): void {
    if (lane.blockedBy !== undefined) this.#blocked.noteRoom(lane.blockedBy)
    lane.blockedBy = undefined
  }

  #block(lane: Lane, party: HolderName): void {
    const wokenFor = lane.state === 'awake' ? lane.blockedBy : undefined
    if (wokenFor !== undefined && wokenFor !== party) this.#blocked.noteRoom(wokenFor)
    lane.state = 'blocked'
    lane.blockedBy = party
    this.#lanes.keep(lane)
    this.#blocked.add(lane, party)
  }

  /** Its last request has left while it was held back or had been woken. */
  #open(lane: Lane, source: SourceLine): void {
    if (lane.state === 'blocked') this.#blocked.delete(lane)
    else this.#giveUp(lane)
    source.awake.delete(lane)
    lane.state = 'open'
    lane.blockedBy = undefined
    this.#lanes.drop(lane)
  }

  /** Sources come and go; one whose lanes are all held back is made again when they wake. */
  #forget(source: SourceLine): void {
    source.level.ring.delete(source)
    source.level.sources.delete(source.source)
  }

  #sourceLine(priority: number, name: string): SourceLine {
    const level = this.#levelOf(priority)
    let source = level.sources.get(name)
    if (source === undefined) {
      const awake = new Set<Lane>()
      source = {
        level,
        source: name,
        line: emptyLine(),
        expiring: new ExpiryOrder(),
        turn: 0,
        awake,
        isLaneNext: false,
      }
      level.sources.set(name, source)
    }
    return source
  }

  #levelOf(priority: number): Level {
    const known = this.#levels.find(each => each.priority === priority)
    if (known) return known
    const level: Level = { priority, sources: new Map(), ring: new Set() }
    this.#levels.push(level)
    this.#levels.sort((a, b) => a.priority - b.priority)
    return level
  }
}

/** The lowest first. Of eight turns one begins with the highest, and one with each priority between in its turn: nobody starves. */
function inTurn(levels: readonly Level[], turn: number): readonly Level[] {
  if (levels.length === 1) return levels[0]!.ring.size > 0 ? levels : []
  const busy = levels.filter(each => each.ring.size > 0)
  const last = busy.length - 1
  if (last < 1 || turn % 4 !== 0) return busy
  const isForLast = turn % 8 === 0
  const between = last - 1
  if (!isForLast && between === 0) return busy
  const [favoured] = busy.splice(isForLast ? last : 1 + (((turn - 4) / 8) % between), 1)
  return [favoured!, ...busy]
}

function moveLast<T>(set: Set<T>, each: T): void {
  if (set.size === 1 && set.has(each)) return
  set.delete(each)
  set.add(each)
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const each of set) return each
  return undefined
}
