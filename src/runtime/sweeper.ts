import type { OwnedTask } from './owned-tasks.ts'
import type { Task } from './task.ts'
import type { TaskStore } from './task-store.ts'

const entriesPerStep = 200
/** From so many on that are due, the next step comes sooner: what expires at once is no reason for transactions full of tombstones. */
const manyDue = entriesPerStep / 2
/** Milliseconds until the next step after one that met many, some, or nothing that is due: an entry costs as much to look at as to write. */
const untilNextMs = Object.freeze({ many: 10, some: 100, nothing: 500 })

/** Where the sweep of one store stands. */
export interface SweepState {
  cursor: string
  /** Earliest expiry met in this round; Infinity when none was. */
  earliestMs: number
  /** The next round begins when stream time has come this far: nothing that was there expires before. */
  notBeforeMs: number
}

export function newSweep(): SweepState {
  return { cursor: '', earliestMs: Infinity, notBeforeMs: -Infinity }
}

/**
 * Gives the room of expired entries back: one store at a time, a few entries at a step, whatever there is to do besides: twice a second, ten times
 * where something is due, a hundred times where half of it is.
 * A round that has met nothing due rests until the earliest expiry it has seen. An entry that comes meanwhile and
 * expires earlier still is met a round late; nobody reads it by then, because readers compare the time themselves.
 */
export class Sweeper {
  #turn = 0
  #nextMs = -Infinity

  /** One step where it is time for it, monotonic. Deletions go into the active cycle, so tombstone and expiry commit together. */
  async step(running: readonly OwnedTask[], nowMs: number): Promise<void> {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + untilNextMs.some
    const due = running.flatMap(({ task }) =>
      [...task.stores.values()].filter(store => isDue(task, store)).map(store => ({ task, store })),
    )
    this.#turn += 1
    const next = due[this.#turn % due.length]
    if (next === undefined) return
    const swept = await sweepSome(next.task, next.store)
    this.#nextMs = nowMs + untilNextMs[swept >= manyDue ? 'many' : swept > 0 ? 'some' : 'nothing']
  }
}

function isDue({ environment }: Task, { definition, sweep }: TaskStore): boolean {
  const { streamTimeMs } = environment
  if (definition.expiresAtMs === undefined || streamTimeMs === -Infinity) return false
  return sweep.cursor !== '' || streamTimeMs >= sweep.notBeforeMs
}

/** How many entries it has deleted. */
async function sweepSome(task: Task, store: TaskStore): Promise<number> {
  const { definition, overlaid, sweep } = store
  const nowMs = task.environment.streamTimeMs
  let swept = 0
  const entries = await overlaid.scanCommitted('', sweep.cursor, entriesPerStep)
  for (const [key, value] of entries) {
    const atMs = definition.expiresAtMs?.(key, value)
    if (atMs === undefined) continue
    // What a cycle has just written is newer than what the scan has read.
    if (atMs <= nowMs && !overlaid.isLoaded(key)) {
      overlaid.delete(key)
      swept += 1
    } else sweep.earliestMs = Math.min(sweep.earliestMs, atMs)
  }
  const last = entries.at(-1)
  if (last !== undefined) {
    sweep.cursor = last[0]
    return swept
  }
  sweep.notBeforeMs = sweep.earliestMs === Infinity ? nowMs + 60_000 : sweep.earliestMs
  sweep.earliestMs = Infinity
  sweep.cursor = ''
  return swept
}
