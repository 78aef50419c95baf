import type { Clock } from '../clock.ts'
import { momentOf } from '../effects/flights.ts'
import type { Journal, JournalEvidence } from '../effects/journal.ts'
import { effectCommandSerde } from '../effects/outbox.ts'
import { applyToDisk, type FrozenCycle } from './commit-cycle.ts'
import type { Committer } from './committer.ts'
import { Cycle } from './cycle.ts'
import type { GroupGeneration, ProducedRecord } from './ports.ts'
import type { RuntimeMetrics } from './runtime-metrics.ts'
import type { Task } from './task.ts'
import { notesOf } from '../sinks/sink.ts'

export interface CommitPipelineOptions {
  readonly committer: Committer
  readonly clock: Clock
  readonly metrics: RuntimeMetrics
  readonly journal: Journal
  readonly incarnation: string
  readonly commitIntervalMs: number
  readonly wake: () => void
}

interface CommitRequest {
  readonly tasks: readonly Task[]
  readonly generation: GroupGeneration
  /** An effect waits at its gate, or a reply to be committed. */
  readonly urgent: boolean
  /** No input is at hand. */
  readonly quiet: boolean
  /** More effects are on their way to their gates, or replies to us. */
  readonly growing: boolean
}

interface Committing {
  readonly frozen: FrozenCycle
  readonly evidence: readonly JournalEvidence[]
  /** Set when it has ended. */
  result: 'committed' | { readonly error: unknown } | undefined
  /** Never rejects. */
  settled: Promise<void>
}

const recordsMax = 20_000
/** Of outputs and of writes into stores; as much may be committing meanwhile. */
const bytesMax = 16 * 1024 * 1024
/** Between two transactions: the broker writes the markers of the first meanwhile; without it the second waits 20 ms for them. */
const pauseMs = 2
/** Never waits longer than this for what may come along, however long the last transaction took. */
const gatherMaxMs = 20
/** Positions that only stepped over markers are committed this seldom. */
const idleCommitMs = 5000

/** The active cycle, and at most one that commits while the next one is filled. */
export class CommitPipeline {
  readonly #options: CommitPipelineOptions
  #active: Cycle
  #evidence: JournalEvidence[] = []
  /** Undefined while nothing commits. */
  #committing: Committing | undefined
  #lastEndMs = -Infinity
  #lastTookMs = 0

  constructor(options: CommitPipelineOptions) {
    this.#options = options
    this.#active = this.#newCycle(1)
  }

  get active(): Cycle {
    return this.#active
  }

  /** The cycle whose transaction is under way, or has ended and was not looked at. */
  get committing(): Cycle | undefined {
    return this.#committing?.frozen.cycle
  }

  get isBusy(): boolean {
    return this.#committing !== undefined
  }

  /** The active cycle takes no more input until it can be committed. */
  isFull(tasks: readonly Pick<Task, 'writtenBytes'>[]): boolean {
    if (this.#active.records >= recordsMax) return true
    let { bytes } = this.#active
    for (const { writtenBytes } of tasks) bytes += writtenBytes
    return bytes >= bytesMax
  }

  /** Evidence for the owner of a request, wherever it is: a record of the next transaction. */
  addEvidence(evidence: JournalEvidence): void {
    this.#evidence.push(evidence)
    this.#options.wake()
  }

  /** Evidence alone, in a transaction of its own: the last thing before the end. */
  async publishEvidence(): Promise<void> {
    const { committer, clock } = this.#options
    await this.#committing?.settled
    const evidence = [...this.#evidence, ...(this.#committing?.evidence ?? [])]
    if (evidence.length === 0) return
    await committer.init()
    await committer.publish(evidence.map(each => evidenceRecord(each, clock.nowMs())))
    this.#evidence = []
  }

  hasContent(tasks: readonly Task[]): boolean {
    return (
      this.#active.records > 0 ||
      this.#active.hasOutputs ||
      this.#evidence.length > 0 ||
      tasks.some(task => task.hasWrites)
    )
  }

  /** Starts a commit if it is time for one; returns the milliseconds after which to ask again. */
  startIfDue(request: CommitRequest): number {
    if (this.#committing) return Infinity
    const nowMs = this.#options.clock.monotonicMs()
    const { tasks, urgent, quiet } = request
    const content = this.hasContent(tasks)
    if (!content && !tasks.some(task => task.hasProgress)) return Infinity
    this.#active.beganMs ??= nowMs
    const ageMs = nowMs - this.#active.beganMs
    const waitMs = content ? this.#options.commitIntervalMs : idleCommitMs
    const due = (content && (urgent || quiet || this.isFull(tasks))) || ageMs >= waitMs
    if (!due) return waitMs - ageMs
    const leftMs = this.#startMs(request, this.#active.beganMs) - nowMs
    if (leftMs > 0) return leftMs
    this.#start(request)
    return Infinity
  }

  /**
   * What is about to come gets into this transaction, if that takes no longer than a transaction does: left behind it would wait for
   * the whole of this one. So connections fall into step, and there is one transaction for all of them instead of two for half each.
   */
  #startMs({ growing, tasks }: CommitRequest, beganMs: number): number {
    const gatherMs = growing && !this.isFull(tasks) ? Math.min(this.#lastTookMs, gatherMaxMs) : 0
    return Math.max(this.#lastEndMs + pauseMs, Math.max(this.#lastEndMs, beganMs) + gatherMs)
  }

  #start({ tasks, generation }: CommitRequest): void {
    const { clock, incarnation } = this.#options
    const moment = momentOf(clock)
    const cycle = this.#active
    this.#active = this.#newCycle(cycle.number + 1)
    const evidence = this.#evidence
    this.#evidence = []
    for (const each of evidence) cycle.produce(evidenceRecord(each, moment.wallMs))
    const metadata = `${incarnation}:${cycle.number}`
    const frozen = tasks.map(task => task.freeze(metadata))
    for (const task of tasks) task.freezeEngines(moment)
    const consumed = frozen.flatMap(each => each.offsets)
    const [first] = tasks
    const offsets = consumed.length === 0 && first ? [first.anyOffset(metadata)] : consumed
    const committing: Committing = {
      frozen: { cycle, atMs: moment.wallMs, tasks: frozen, offsets, generation },
      evidence,
      result: undefined,
      settled: Promise.resolve(),
    }
    this.#committing = committing
    committing.settled = this.#commit(committing.frozen)
      .then(
        () => void (committing.result = 'committed'),
        (error: unknown) => void (committing.result = { error }),
      )
      .finally(this.#options.wake)
  }

  async #commit(frozen: FrozenCycle): Promise<void> {
    const { committer, clock, metrics, journal } = this.#options
    const beganMs = clock.monotonicMs()
    // A journal that has failed takes no attempt any more: none is committed that could not be performed.
    if (journal.failure) throw journal.failure
    const ranges = await committer.commit(frozen)
    this.#lastEndMs = clock.monotonicMs()
    this.#lastTookMs = this.#lastEndMs - beganMs
    metrics.commitDuration.observe(this.#lastTookMs)
    await this.#openGates(frozen, journal, applyToDisk(frozen, ranges))
  }

  /**
   * "Dot" is on the disk before the first dot is written: an attempt without it was certainly not performed. Nor is one
   * performed when the disk did not take the cycle: an instance that must stop stops before it sends.
   */
  async #openGates(frozen: FrozenCycle, journal: Journal, applied: Promise<void>): Promise<void> {
    const engines = frozen.tasks.flatMap(({ task }) => [...task.engines.values()])
    const marks = engines.map(engine => engine.committed())
    const settled = marks.flatMap(each => each.settled)
    if (settled.length > 0) journal.settled(settled)
    const perform = marks.flatMap(each => each.perform)
    await Promise.all([applied, ...(perform.length > 0 ? [journal.dots(perform)] : [])])
    for (const engine of engines) engine.perform()
  }

  /** Takes note of a commit that has ended; throws what it failed with. Does not wait for one that is under way. */
  async finish(): Promise<void> {
    const committing = this.#committing
    if (committing?.result === undefined) return
    await committing.settled
    if (committing.result !== 'committed') throw committing.result.error
    this.#committing = undefined
    this.#countCommitted(committing.frozen.cycle)
    for (const { task } of committing.frozen.tasks) task.retire()
    if (committing.evidence.length > 0)
      this.#options.journal.settled(committing.evidence.map(each => each.token))
  }

  /** Takes back the active cycle and the one that was committing, whatever became of it. */
  async abandon(tasks: readonly Task[]): Promise<void> {
    const committing = this.#committing
    await committing?.settled
    this.#committing = undefined
    // Published twice it says the same; not at all it would be lost.
    if (committing) this.#evidence.push(...committing.evidence)
    this.#active = this.#newCycle(this.#active.number + 1)
    for (const task of tasks) task.fail()
  }

  #newCycle(number: number): Cycle {
    return new Cycle(number, this.#options.committer.gather())
  }

  #countCommitted(cycle: Cycle): void {
    const { metrics } = this.#options
    for (const [name, by] of cycle.counts) metrics.custom(name).inc(by)
    for (const [topic, count] of cycle.outputsByTopic)
      metrics.recordsOut.labels({ topic }).inc(count)
  }
}

function evidenceRecord(evidence: JournalEvidence, nowMs: number): ProducedRecord {
  const { topic, partition, identity, token, outcome, reply, atMs } = evidence
  const value = effectCommandSerde.serialize({
    kind: 'evidence',
    identity,
    token,
    outcome,
    reply,
    atMs,
    ...notesOf(evidence),
  })
  return { topic, partition, key: Buffer.from(identity), value, headers: [], timestampMs: nowMs }
}
