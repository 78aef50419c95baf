import type { OwnedTask, OwnedTasks } from './owned-tasks.ts'
import type { CommittedRecordsFetcher } from './ports.ts'
import type { Task } from './task.ts'
import type { PreparedBatch } from './task-processing.ts'

const recordsPerTurn = 250
/** Of one partition: beyond it records stay with the broker. */
const queuedMax = 5000
/** Of all together, before more is decoded: enough for the time that a fetch takes, and so little that it is used while it is young. */
const queuedLow = 1500
/** The same in bytes. Beside them the fetcher has one response at hand, and one under way. */
const queuedBytesMax = { ofPartition: 4 * 1024 * 1024, ofAll: 16 * 1024 * 1024 }

/** Moves fetched records into the tasks' queues and through their graphs; who has too much is paused, alone. */
export class InputFeed {
  readonly #fetcher: CommittedRecordsFetcher
  readonly #owned: OwnedTasks
  readonly #paused = new Set<string>()

  constructor(fetcher: CommittedRecordsFetcher, owned: OwnedTasks) {
    this.#fetcher = fetcher
    this.#owned = owned
  }

  /**
   * Gives every running task a batch, beginning with another one each `turn`, until `isFull`. Returns the records processed.
   * While one batch is processed the keys of the next are read, one ahead and no more: and all of it inside one turn of the loop,
   * which retires overlays only between turns (see `OverlaidStore`).
   */
  async process(turn: number, isFull: () => boolean, limit = recordsPerTurn): Promise<number> {
    const running = this.#owned.running
    this.#pauseAndResume(running)
    this.#poll(running)
    const inTurn = [
      ...running.slice(turn % running.length),
      ...running.slice(0, turn % running.length),
    ]
    let processed = 0
    let batch: PreparedBatch | undefined
    for (const { processing } of inTurn) {
      const next = processing.prepare(limit)
      if (next === undefined) continue
      processed += (await batch?.process()) ?? 0
      batch = next
      if (isFull()) break
    }
    if (isFull()) batch?.drop()
    else processed += (await batch?.process()) ?? 0
    return processed
  }

  #poll(running: readonly OwnedTask[]): void {
    let queued = 0
    let bytes = 0
    for (const { task } of running) {
      // What waits for room in an effect is paused by itself, and must not keep commands from coming: they make room.
      if (!hasFullEffect(task)) queued += task.queuedRecords
      bytes += task.queuedBytes
    }
    if (queued > queuedLow || bytes > queuedBytesMax.ofAll) return
    for (const batch of this.#fetcher.poll())
      this.#owned.readerOf(batch.topic, batch.partition)?.enqueue(batch)
  }

  /** A partition that waits for a schema keeps a few batches; an effect that is full takes commands only. */
  #pauseAndResume(running: readonly OwnedTask[]): void {
    for (const { task } of running) {
      const isFull = hasFullEffect(task)
      for (const at of task.sources) {
        const queue = task.queues.get(at.topic)
        const share = Math.max(
          (queue?.size ?? 0) / queuedMax,
          (queue?.bytes ?? 0) / queuedBytesMax.ofPartition,
        )
        const isFullForIt = isFull && !at.isCommands
        const isPaused = this.#paused.has(at.key)
        if (!isPaused && (share > 1 || isFullForIt)) {
          this.#fetcher.pause(at)
          this.#paused.add(at.key)
        } else if (isPaused && share <= 0.2 && !isFullForIt) {
          this.#fetcher.resume(at)
          this.#paused.delete(at.key)
        }
      }
    }
  }
}

function hasFullEffect(task: Task): boolean {
  if (task.engines.size === 0) return false
  for (const engine of task.engines.values()) if (engine.isFull) return true
  return false
}
