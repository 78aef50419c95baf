import { AssertionError } from 'node:assert'
import type { EffectCommand } from '../effects/outbox.ts'
import { describeError, StreamsError } from '../errors.ts'
import { keyNotLoaded } from '../state/key-not-loaded.ts'
import type { OverlaidStore } from '../state/overlaid-store.ts'
import type {
  ProcessorContext,
  Punctuation,
  RecordOrigin,
  SourceNode,
} from '../topology/topology.ts'
import type { Cycle, CycleMark } from './cycle.ts'
import { toDeadLetters } from './dead-letter.ts'
import { type KeysOf, keysDeclaredBelow } from './declared-keys.ts'
import { type Decoded, decode } from './decoded-record.ts'
import type { InputQueue } from './input-queue.ts'
import type { ConsumedRecord } from './ports.ts'
import type { RecordRange } from './processing-marks.ts'
import type { Task } from './task.ts'
import { topicName } from './topic-catalog.ts'

/** Decoded records of one task whose keys are being read. */
export interface PreparedBatch {
  /** Returns how many records were processed. */
  readonly process: () => Promise<number>
  /** It is not processed now: its records are prepared again. */
  readonly drop: () => void
}

interface Source {
  readonly node: SourceNode
  readonly topic: string
  readonly keysOf: KeysOf
}

interface Schedule {
  readonly punctuation: Punctuation
  readonly context: ProcessorContext
  nextMs: number
}

/** A unit of work that misses more keys than this is a bug in a processor. */
const missesMax = 10_000

/** Takes records out of a task's queues and runs them through its graph. */
export class TaskProcessing {
  readonly #task: Task
  readonly #sources: readonly Source[]
  readonly #schedules: Schedule[] = []
  #turn = 0

  constructor(task: Task) {
    this.#task = task
    const { applicationId } = task.context
    this.#sources = task.subTopology.sources.map(node => ({
      node,
      topic: topicName(applicationId, node.topic),
      keysOf: keysDeclaredBelow(task, node),
    }))
    for (const { processor, context } of task.graph.processors)
      for (const punctuation of processor.punctuations ?? [])
        this.#schedules.push({ punctuation, context, nextMs: -Infinity })
  }

  /**
   * At most `limit` records of one source, in turn, decoded, and their keys on their way. Nothing has been taken or written: that does
   * `process`, and nobody may ask for another batch of this task before it, or `drop`, was called.
   */
  prepare(limit: number): PreparedBatch | undefined {
    const { queues } = this.#task
    for (let tried = 0; tried < this.#sources.length; tried += 1) {
      const source = this.#sources[(this.#turn += 1) % this.#sources.length]!
      const queue = queues.get(source.topic)
      if (queue === undefined || queue.parked) continue
      const records = queue.peek(limit)
      if (records.length === 0) continue
      const decoded = this.#decodeReady(source.node, queue, records)
      if (decoded.length === 0) continue
      const loaded = this.#loadKeys(decoded, source.keysOf)
      // Thrown by `process`; a batch that is dropped does not care.
      loaded.catch(() => undefined)
      return {
        process: async () => {
          await loaded
          return this.#processBatch(source, queue, decoded)
        },
        drop: () => this.#dropLoaded(),
      }
    }
    return undefined
  }

  async #processBatch(
    { node, topic }: Source,
    queue: InputQueue,
    decoded: readonly Decoded[],
  ): Promise<number> {
    const { context, environment, graph } = this.#task
    await this.#prepareCommands(node, decoded)
    const handler = graph.source(node.name)
    const range = rangeOf(decoded)
    const { suspicion } = context
    const alone = suspicion.begin(range)
    const processedBelow = this.#task.processedBelow.get(topic) ?? 0
    for (let index = 0; index < decoded.length; index += 1) {
      const each = decoded[index]!
      const isReread = each.from.offset < processedBelow
      if (isReread && node.reread === 'skip') continue
      if ('error' in each) {
        this.#toDeadLetters(each.from, each.error)
        continue
      }
      const condemned = suspicion.verdict(each.from)
      if (condemned) {
        this.#toDeadLetters(each.from, condemned)
        continue
      }
      if (alone) suspicion.beginAlone(each.from)
      environment.origin = isReread ? rereadOrigin(each.from) : each.from
      environment.streamTimeMs = Math.max(environment.streamTimeMs, each.record.timestampMs)
      try {
        // Nothing to wait for, for nearly every record: awaiting it all the same costs more than the record.
        const missing = this.runUnit(handler, each.record)
        if (missing) await missing
      } catch (error) {
        if (!(error instanceof StreamsError) || error.code !== 'RECORD_UNDECODABLE') {
          suspicion.end()
          throw isOfProcessor(error) ? suspicion.threw(each.from, error) : error
        }
        this.#toDeadLetters(each.from, error)
      }
      context.activeCycle().lastInput = each.from
    }
    suspicion.end()
    suspicion.cleared(range)
    environment.origin = undefined
    queue.take(decoded.length)
    this.#task.progressed(topic)
    context.activeCycle().records += decoded.length
    context.metrics.recordsIn.labels({ topic }).inc(decoded.length)
    this.#dropLoaded()
    return decoded.length
  }

  #dropLoaded(): void {
    for (const store of this.#overlays) store.dropLoaded()
  }

  /** Nothing to wait for, for nearly every task in nearly every turn. */
  get isPunctuationDue(): boolean {
    return this.#schedules.some(each => this.#isDue(each))
  }

  /** Runs the punctuations that are due. */
  async punctuate(): Promise<void> {
    for (const schedule of this.#schedules) {
      if (!this.#isDue(schedule)) continue
      const nowMs = this.#timeOf(schedule)
      schedule.nextMs = nowMs + schedule.punctuation.everyMs
      const { punctuation, context } = schedule
      await this.runUnit(each => each.punctuate(nowMs, context), punctuation)
    }
  }

  /** Until the next one by wall clock; those by stream time come with records. */
  nextPunctuationMs(): number {
    let delayMs = Infinity
    for (const schedule of this.#schedules)
      if (schedule.punctuation.by === 'wall-clock')
        delayMs = Math.min(delayMs, Math.max(0, schedule.nextMs - this.#timeOf(schedule)))
    return delayMs
  }

  #isDue(schedule: Schedule): boolean {
    const nowMs = this.#timeOf(schedule)
    return nowMs !== -Infinity && nowMs >= schedule.nextMs
  }

  #timeOf({ punctuation }: Schedule): number {
    return punctuation.by === 'wall-clock'
      ? this.#task.context.clock.nowMs()
      : this.#task.environment.streamTimeMs
  }

  /**
   * Runs all or nothing of it. Synchronous unless a key is missing: then its traces are taken back, the key is read, and it runs
   * again. What it works on is given beside it, so that a record needs no function of its own.
   */
  runUnit<On>(unit: (on: On) => void, on: On): Promise<void> | undefined {
    const cycle = this.#task.context.activeCycle()
    const mark = cycle.mark()
    this.#markStores()
    try {
      unit(on)
      this.#clearMarks()
      return undefined
    } catch (error) {
      const undo = this.#undoing(cycle, mark)
      undo()
      if (keyNotLoaded(error) === undefined) throw error
      return this.#loadAndRepeat(() => unit(on), undo, error)
    }
  }

  #markStores(): void {
    const stores = this.#overlays
    for (let index = 0; index < stores.length; index += 1) stores[index]!.mark()
  }

  #clearMarks(): void {
    const stores = this.#overlays
    for (let index = 0; index < stores.length; index += 1) stores[index]!.clearMarks()
  }

  /** Marks are cleared with it: what is written before the next unit begins must not be taken back with that one. */
  #undoing(cycle: Cycle, mark: CycleMark): () => void {
    return () => {
      cycle.undoTo(mark)
      for (const store of this.#overlays) {
        store.undoTo(0)
        store.clearMarks()
      }
    }
  }

  get #overlays(): readonly OverlaidStore<unknown>[] {
    return this.#task.overlays
  }

  async #loadAndRepeat(unit: () => void, undo: () => void, first: unknown): Promise<void> {
    let error = first
    for (let misses = 0; misses < missesMax; misses += 1) {
      const missed = keyNotLoaded(error)
      if (missed === undefined) throw error
      const goOn = this.#task.context.suspicion.pause()
      await this.#task.stores.get(missed.store.name)!.overlaid.load([missed.key])
      goOn()
      this.#markStores()
      try {
        unit()
        this.#clearMarks()
        return
      } catch (next) {
        undo()
        error = next
      }
    }
    throw new StreamsError(
      'INTERNAL',
      `one record asked for more than ${missesMax} undeclared keys: declare them with 'prefetch'`,
    )
  }

  /** As many as can be decoded now. What lacks a schema parks the queue until somebody knows. */
  #decodeReady(node: SourceNode, queue: InputQueue, records: readonly ConsumedRecord[]): Decoded[] {
    const { key: keySerde, value: valueSerde } = node.topic
    const decoded: Decoded[] = []
    for (let index = 0; index < records.length; index += 1) {
      const from = records[index]!
      if (from.value !== null && !valueSerde.isReady(from.value)) {
        if (decoded.length === 0) void this.#park(node, queue, from)
        break
      }
      decoded.push(decode(from, keySerde, valueSerde))
    }
    return decoded
  }

  async #park(node: SourceNode, queue: InputQueue, record: ConsumedRecord): Promise<void> {
    const { context } = this.#task
    queue.parked = true
    for (
      let delayMs = 1000;
      !this.#task.leaving.signal.aborted && queue.parked;
      delayMs = Math.min(delayMs * 2, 30_000)
    ) {
      try {
        await node.topic.value.prepare(record.value!)
        queue.parked = false
      } catch (error) {
        const { topic, partition, offset } = record
        context.log.warn(
          { event: 'partition-waits', topic, partition, offset, delayMs },
          describeError(error),
        )
        await new Promise<void>(resolve => void context.clock.schedule(delayMs, resolve))
      }
    }
    context.wake()
  }

  async #loadKeys(decoded: readonly Decoded[], keysOf: KeysOf): Promise<void> {
    const keys = new Map<string, Set<string>>()
    const add = (store: string, key: string): void => {
      const known = keys.get(store)
      if (known) known.add(key)
      else keys.set(store, new Set([key]))
    }
    for (const each of decoded) if ('record' in each) keysOf(each.record, add)
    if (keys.size === 0) return
    await Promise.all(
      [...keys].map(([store, list]) => this.#task.stores.get(store)!.overlaid.load(list)),
    )
  }

  async #prepareCommands(source: SourceNode, decoded: readonly Decoded[]): Promise<void> {
    for (const node of this.#task.effects) {
      if (node.commandsFrom !== source.name) continue
      const commands = decoded.flatMap(each => ('record' in each ? [each.record.value] : []))
      await this.#task.engines.get(node.name)!.prepareCommands(commands as EffectCommand[])
    }
  }

  #toDeadLetters(record: ConsumedRecord, error: StreamsError): void {
    const reason = { code: error.code, message: describeError(error) }
    toDeadLetters(this.#task.context, record, reason)
  }
}

/** Our own errors and broken promises stop the instance; whatever else is thrown, a processor has thrown over its record. */
function isOfProcessor(error: unknown): boolean {
  return !(error instanceof StreamsError) && !(error instanceof AssertionError)
}

function rereadOrigin({ topic, partition, offset }: RecordOrigin): RecordOrigin {
  return { topic, partition, offset, isReread: true }
}

function rangeOf(decoded: readonly Decoded[]): RecordRange {
  const { topic, partition, offset: first } = decoded[0]!.from
  return { topic, partition, first, last: decoded.at(-1)!.from.offset }
}
