import type { Delivery } from './delivery.ts'
import { DueQueue } from './due-queue.ts'
import type { Flight } from './flight.ts'

/**
 * Where an open request is in memory: `ready` to be tried, `loading` its bytes, `flying` (preparing, at the gate, or past
 * it), a `timer`, or in `doubt` (an attempt of a former owner, waiting for evidence).
 */
export type Stage = 'ready' | 'loading' | 'flying' | 'timer' | 'doubt'

export interface OpenRequest {
  readonly identity: string
  stage: Stage
  readonly priority: number
  /** Kept while few are; else read again from the store when its turn comes. */
  delivery: Delivery | undefined
  flight: Flight | undefined
  /** Guards timers: an entry of the due queue counts only if it matches. */
  dueMs: number
  /** From then on it ends without being tried; Infinity: never. */
  readonly expiresAtMs: number
  /** Times its bytes were asked for: an answer to an earlier time is old. */
  loads: number
}

/** Requests whose bytes stay in memory while they wait for their turn. */
const retainedMax = 2000
/** Timers and places in line without a purpose that do no harm yet. */
const pointlessMax = 1024

/** All open requests of one task, in memory: what is next, and when. */
export class OpenRequests {
  readonly #all = new Map<string, OpenRequest>()
  /** By priority, first come first served. Removed ones are skipped when met. */
  readonly #ready = new Map<number, string[]>()
  readonly #heads = new Map<number, number>()
  readonly #timers = new DueQueue()
  #retained = 0
  #readyCount = 0
  #turn = 0

  get size(): number {
    return this.#all.size
  }

  /** Timers and places in line, those without a purpose included. */
  get entryCount(): number {
    let count = this.#timers.size
    for (const [priority, line] of this.#ready) count += line.length - this.#heads.get(priority)!
    return count
  }

  get readyCount(): number {
    return this.#readyCount
  }

  get(identity: string): OpenRequest | undefined {
    return this.#all.get(identity)
  }

  values(): IterableIterator<OpenRequest> {
    return this.#all.values()
  }

  count(stage: Stage): number {
    let count = 0
    for (const each of this.#all.values()) if (each.stage === stage) count += 1
    return count
  }

  delete(identity: string): void {
    const open = this.#all.get(identity)
    if (open === undefined) return
    this.#leave(open)
    this.#all.delete(identity)
  }

  clear(): void {
    this.#all.clear()
    this.#ready.clear()
    this.#heads.clear()
    this.#timers.clear()
    this.#retained = 0
    this.#readyCount = 0
  }

  /** Puts the request where its delivery state says. `attempting` is left to the caller. */
  place(delivery: Delivery): OpenRequest {
    const open = this.#enter(delivery.plan)
    if (delivery.state.kind === 'waiting') {
      open.stage = 'timer'
      open.delivery = undefined
      open.dueMs = delivery.state.dueMs
      this.#pushTimer(open, open.dueMs)
    } else if (delivery.state.kind === 'attempting') {
      open.stage = 'doubt'
      open.delivery = delivery
    } else {
      open.delivery = delivery
      this.#makeReady(open)
      this.#pushTimer(open, open.expiresAtMs)
    }
    return open
  }

  /** Back in line, at its end: after a try that changed nothing. */
  makeReady(open: OpenRequest): void {
    this.#leave(open)
    this.#makeReady(open)
  }

  /** Out of the line until then, in memory alone: whom it may be given to has no place for it. */
  putOff(open: OpenRequest, untilMs: number): void {
    this.#leave(open)
    open.stage = 'timer'
    open.delivery = undefined
    open.dueMs = Math.min(untilMs, open.expiresAtMs)
    this.#pushTimer(open, open.dueMs)
  }

  /** First in line, with its bytes: its turn had come when they were asked for. */
  makeNext(open: OpenRequest, delivery: Delivery): void {
    this.#leave(open)
    open.stage = 'ready'
    open.delivery = delivery
    this.#readyCount += 1
    this.#retained += 1
    const { line, head } = this.#lineOf(open.priority)
    if (head === 0) line.unshift(open.identity)
    else {
      line[head - 1] = open.identity
      this.#heads.set(open.priority, head - 1)
    }
  }

  setStage(open: OpenRequest, stage: 'loading' | 'flying'): void {
    this.#leave(open)
    if (stage === 'loading') open.loads += 1
    open.stage = stage
  }

  get nextTimerMs(): number {
    return this.#timers.nextDueMs
  }

  /** Waiting ones that are due become ready; returns those whose expiry is due: they must end although nobody has room for them. */
  wakeDue(nowMs: number, limit: number): OpenRequest[] {
    // Each once: back in line it is given a timer again, for the same time.
    const expired = new Set<OpenRequest>()
    for (const identity of this.#timers.takeDue(nowMs, limit)) {
      const open = this.#all.get(identity)
      if (open === undefined) continue
      const isDue = open.stage === 'timer' && open.dueMs <= nowMs
      if (!isDue && open.stage !== 'ready') continue
      if (open.expiresAtMs <= nowMs) expired.add(open)
      else if (isDue) {
        this.#makeReady(open)
        this.#pushTimer(open, open.expiresAtMs)
      }
    }
    return [...expired]
  }

  /** The next one to be tried; every eighth turn goes to the lowest priority, so that none starves. */
  takeReady(): OpenRequest | undefined {
    if (this.#readyCount === 0) return undefined
    this.#turn += 1
    const priorities = [...this.#ready.keys()].toSorted((a, b) =>
      this.#turn % 8 === 0 ? b - a : a - b,
    )
    for (const priority of priorities) {
      const found = this.#takeOf(priority)
      if (found) return found
    }
    return undefined
  }

  #takeOf(priority: number): OpenRequest | undefined {
    const line = this.#ready.get(priority)!
    let head = this.#heads.get(priority)!
    let found: OpenRequest | undefined
    while (found === undefined && head < line.length) {
      const open = this.#all.get(line[head]!)
      if (open?.stage === 'ready' && open.priority === priority) found = open
      head += 1
    }
    if (head > 1024 && head * 2 > line.length) {
      line.splice(0, head)
      head = 0
    }
    this.#heads.set(priority, head)
    if (head >= line.length) {
      this.#ready.delete(priority)
      this.#heads.delete(priority)
    }
    return found
  }

  #enter({ identity, priority, expiresAtMs }: Delivery['plan']): OpenRequest {
    const known = this.#all.get(identity)
    if (known) {
      this.#leave(known)
      return known
    }
    const open: OpenRequest = {
      identity,
      stage: 'doubt',
      priority,
      delivery: undefined,
      flight: undefined,
      dueMs: 0,
      expiresAtMs: expiresAtMs ?? Infinity,
      loads: 0,
    }
    this.#all.set(identity, open)
    return open
  }

  #leave(open: OpenRequest): void {
    if (open.stage !== 'ready') return
    this.#readyCount -= 1
    if (open.delivery) this.#retained -= 1
    open.stage = 'loading'
  }

  #makeReady(open: OpenRequest): void {
    open.stage = 'ready'
    this.#readyCount += 1
    if (open.delivery && this.#retained >= retainedMax) open.delivery = undefined
    if (open.delivery) this.#retained += 1
    const { line, head } = this.#lineOf(open.priority)
    line.push(open.identity)
    if (line.length - head > 2 * this.#readyCount + pointlessMax) this.#tidy(open.priority)
  }

  /** Requests that ended while they were ready leave their places in line behind. */
  #tidy(priority: number): void {
    const { line, head } = this.#lineOf(priority)
    const places = new Set(line.slice(head))
    const isReady = (identity: string): boolean => this.#all.get(identity)?.stage === 'ready'
    this.#ready.set(priority, [...places].filter(isReady))
    this.#heads.set(priority, 0)
  }

  #lineOf(priority: number): { readonly line: string[]; readonly head: number } {
    const line = this.#ready.get(priority) ?? []
    const head = this.#heads.get(priority) ?? 0
    this.#ready.set(priority, line)
    this.#heads.set(priority, head)
    return { line, head }
  }

  /** Entries that became pointless are dropped from time to time: those of requests that ended long before their expiry would pile up. */
  #pushTimer(open: OpenRequest, dueMs: number): void {
    if (dueMs === Infinity) return
    this.#timers.push(dueMs, open.identity)
    if (this.#timers.size <= 2 * this.#all.size + pointlessMax) return
    this.#timers.keep((atMs, identity) => {
      const known = this.#all.get(identity)
      return atMs === (known?.stage === 'timer' ? known.dueMs : known?.expiresAtMs)
    })
  }
}
