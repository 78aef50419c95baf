import { sleep } from '../clock.ts'
import type { EffectDefinition } from '../effects/effect.ts'
import { describeError, errorCodeOf } from '../errors.ts'
import type { CommittedRecordsFetcher } from './ports.ts'
import { canRestoreAgain, restoreTask } from './restore.ts'
import type { Task } from './task.ts'
import type { TaskContext } from './task-context.ts'
import { TaskProcessing } from './task-processing.ts'
import type { TaskStore } from './task-store.ts'

export interface OwnedTask {
  readonly task: Task
  readonly processing: TaskProcessing
  /** Set while a restore is under way; never rejects. */
  restore: Promise<void> | undefined
}

/** The tasks a worker has, from their assignment to their end. They restore beside the loop and begin to run within it. */
export class OwnedTasks {
  readonly #context: TaskContext
  readonly #fetcher: CommittedRecordsFetcher
  readonly #all = new Map<string, OwnedTask>()
  readonly #restored = new Set<OwnedTask>()
  #failure: Error | undefined

  constructor(context: TaskContext, fetcher: CommittedRecordsFetcher) {
    this.#context = context
    this.#fetcher = fetcher
  }

  get ids(): readonly string[] {
    return [...this.#all.keys()]
  }

  get all(): readonly OwnedTask[] {
    return [...this.#all.values()]
  }

  get tasks(): readonly Task[] {
    return this.all.map(each => each.task)
  }

  get running(): readonly OwnedTask[] {
    return this.all.filter(({ task }) => task.state === 'running')
  }

  has(id: string): boolean {
    return this.#all.has(id)
  }

  /** The running task that reads this partition. */
  readerOf(topic: string, partition: number): Task | undefined {
    return this.running.find(({ task }) => task.partition === partition && task.queues.has(topic))
      ?.task
  }

  /** With the open stores of a standby, where there was one. */
  open(task: Task, stores?: ReadonlyMap<string, TaskStore>): void {
    if (stores !== undefined) {
      task.adopt(stores)
      this.#context.log.info({ event: 'standby-promoted', task: task.id }, 'goes on from its copy')
    }
    const owned: OwnedTask = { task, processing: new TaskProcessing(task), restore: undefined }
    this.#all.set(task.id, owned)
    this.#shareLimits()
    this.restore(owned)
  }

  /** What all instances may send together is divided by the tasks they have. */
  #shareLimits(): void {
    const { slots, topology, catalog } = this.#context
    for (const subTopology of topology.subTopologies) {
      const owned = this.tasks.filter(each => each.subTopology === subTopology).length
      const share = Math.max(1, owned) / catalog.taskCount(subTopology)
      for (const node of subTopology.nodes) {
        if (node.kind !== 'effect') continue
        slots.get(node.name)!.setShare(share)
        const { sink } = node.definition as EffectDefinition
        sink.setShare?.(share)
      }
    }
  }

  /** Brings the task, new or failed, to what the cluster says. */
  restore(owned: OwnedTask): void {
    for (const at of owned.task.sources) this.#fetcher.unassign(at)
    owned.task.moveTo('restoring')
    owned.restore = this.#restoreUntilDone(owned)
  }

  async #restoreUntilDone(owned: OwnedTask): Promise<void> {
    const { log, clock, wake } = this.#context
    const { id, leaving } = owned.task
    const { signal } = leaving
    for (let delayMs = 200; !signal.aborted; delayMs = Math.min(delayMs * 2, 10_000)) {
      try {
        await restoreTask(owned.task)
        if (!signal.aborted) this.#restored.add(owned)
        break
      } catch (error) {
        if (signal.aborted) break
        if (!canRestoreAgain(error)) {
          this.#failure = error instanceof Error ? error : new Error(String(error))
          break
        }
        const code = errorCodeOf(error)
        log.warn({ event: 'restore-waits', code, task: id, delayMs }, describeError(error))
        await sleep(clock, delayMs, signal)
      }
    }
    wake()
  }

  /** Tasks whose restore has ended begin to run: between two turns, where nothing else looks at them. */
  adoptRestored(): void {
    if (this.#failure !== undefined) throw this.#failure
    for (const owned of this.#restored) {
      const { task } = owned
      if (this.#all.get(task.id) !== owned || task.state !== 'restoring') continue
      task.moveTo('running')
      owned.restore = undefined
      for (const at of task.sources) {
        this.#fetcher.assign(at, task.queues.get(at.topic)!.position)
        this.#fetcher.resume(at)
      }
      for (const engine of task.engines.values()) engine.resume()
    }
    this.#restored.clear()
  }

  async close(owned: OwnedTask): Promise<void> {
    const { task } = owned
    this.#all.delete(task.id)
    this.#shareLimits()
    this.#restored.delete(owned)
    task.leaving.abort()
    for (const at of task.sources) this.#fetcher.unassign(at)
    for (const engine of task.engines.values()) engine.close()
    await owned.restore
    await task.closeStores()
    task.moveTo('closed')
  }

  async closeAll(): Promise<void> {
    for (const owned of this.all) await this.close(owned)
  }
}
