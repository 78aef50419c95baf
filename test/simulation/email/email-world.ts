import type { Delivery } from '../../../src/effects/delivery.ts'
import { nameOf } from '../../../src/email/identity.ts'
import type { EmailCallback } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { describeError, errorCodeOf } from '../../../src/errors.ts'
import type { Logger } from '../../../src/log.ts'
import type { Random } from '../../../src/random.ts'
import type { Guarantee } from '../../../src/runtime/committer.ts'
import type { ConsumedRecord } from '../../../src/runtime/ports.ts'
import type { SimulatedProcess } from '../../../src/testing/simulated-process.ts'
import { Simulation } from '../../../src/testing/simulation.ts'
import { plainSerdes } from '../../support/email-flow.ts'
import { type Alteration, unaltered } from './alterations.ts'
import { BusinessSystems, partitions } from './business-systems.ts'
import { drawnLimits } from './drawn-limits.ts'
import { applicationId, EmailMachine, type MachineWorld } from './email-machine.ts'
import { type DottedMail, MailRelay } from './mail-relay.ts'
import { Reached } from './reached.ts'
import { sitesOf } from './relay-sites.ts'
import { brokenRetryPromises } from './retry-promises.ts'
import { WebhookReceiver } from './webhook-receiver.ts'

export interface EmailWorldOptions {
  readonly seed: number
  /** Of requests that leave it open. */
  readonly inDoubt: 'hold' | 'resend'
  readonly alteration?: Alteration
  /** The dedup window, milliseconds. @default 7 days, longer than every life */
  readonly windowMs?: number
  /** Some requests name a URL for their callback. @default false */
  readonly withWebhooks?: boolean
  /** Of each life of a machine; `either` draws it, so that it changes from one life to the next. @default exactly-once */
  readonly guarantee?: Guarantee | 'either'
}

const weekMs = 7 * 24 * 3_600_000

/** What an attempt may take from its transaction 1 to its dot, milliseconds; the wall clock has no fractions. */
const dotMaxMs = 5001

/** Three, of which the last is in some lives another thread of the one before it. */
function machinesOf(seed: number, world: MachineWorld): readonly EmailMachine[] {
  const [a, b] = [new EmailMachine('a', world), new EmailMachine('b', world)]
  return [a, b, new EmailMachine('c', world, hasThreads(seed) ? b : undefined)]
}

function hasThreads(seed: number): boolean {
  return seed % 4 === 2 || seed % 8 === 3
}

/** The whole product on three machines, a relay, and business systems. */
export class EmailWorld {
  readonly simulation: Simulation
  readonly reached = new Reached()
  readonly relay: MailRelay
  readonly receiver: WebhookReceiver
  readonly business: BusinessSystems
  readonly machines: readonly EmailMachine[]
  readonly inDoubt: 'hold' | 'resend'
  readonly windowMs: number
  readonly guarantee: Guarantee | 'either'
  /** Promises that were seen to break while they broke. */
  readonly broken: string[] = []
  /** Somebody has set the group's offsets back to the beginning. */
  offsetsSetBack = false
  /** The changelogs no longer hold every record. */
  compacted = false
  /** Called when a machine begins a transaction 1, and when it writes a dot: what breaks then matters most. */
  atMoment: (machine: EmailMachine) => void = () => undefined
  /** When a life of a machine last began a transaction 1 for an identity. */
  readonly #attemptsBegun = new WeakMap<SimulatedProcess, Map<string, number>>()

  constructor({
    seed,
    inDoubt,
    alteration = unaltered,
    windowMs = weekMs,
    withWebhooks = false,
    guarantee = 'exactly-once',
  }: EmailWorldOptions) {
    this.guarantee = guarantee
    this.windowMs = windowMs
    const simulation = new Simulation({ seed })
    const { clock, random, broker } = simulation
    this.simulation = simulation
    this.inDoubt = inDoubt
    this.relay = new MailRelay(clock, random, this.reached, this.simulation.story)
    this.business = new BusinessSystems(broker, random, windowMs, withWebhooks)
    this.receiver = new WebhookReceiver(
      random,
      this.reached,
      (delayMs, callback) => void clock.schedule(delayMs, callback),
    )
    const appendTime = new Set<string>([topicNames.requested, topicNames.dedup])
    for (const name of Object.values(topicNames))
      broker.createTopic({
        name,
        partitions,
        configs: appendTime.has(name) ? { 'message.timestamp.type': 'LogAppendTime' } : {},
      })
    const world = {
      simulation,
      inDoubt,
      windowMs,
      // Few records are many here: what moves is warmed up in most lives, and moves at once in the others.
      standbys: { standbys: seed % 2, acceptableLag: seed % 5 === 0 ? 10_000 : 8 },
      alteration,
      drawGuarantee: () => this.#drawGuarantee(random),
      limits: drawnLimits(seed),
      sites: sitesOf(seed),
      relayWorld: {
        relay: this.relay,
        random,
        schedule: (delayMs: number, callback: () => void) => void clock.schedule(delayMs, callback),
        onDot: (process: SimulatedProcess, mail: DottedMail, doubtAt: string | undefined) =>
          this.#onDot(process, mail, doubtAt),
        note: (path: string) => this.reached.note(path),
      },
      receiver: this.receiver,
      logOf: (name: string) => this.#logOf(name),
      onDelivery: (machine: EmailMachine, delivery: Delivery) => {
        this.broken.push(...brokenRetryPromises(delivery, this.relay))
        if (delivery.state.kind === 'attempting') this.#onAttempt(machine, delivery.plan.identity)
      },
      onEnd: (machine: EmailMachine, error: unknown) => this.#onEnd(machine, error),
    }
    this.machines = machinesOf(seed, world)
  }

  /** Committed records of a topic, as a subscriber sees them, partition by partition. */
  committed(topic: string): ConsumedRecord[] {
    const { broker } = this.simulation
    const count = broker.topic(topic)?.partitions ?? 0
    return Array.from({ length: count }, (_, partition) => {
      const log = broker.log({ topic, partition })
      return log.readCommitted(log.startOffset, Infinity)!.records
    }).flat()
  }

  callbacks(): EmailCallback[] {
    const { callback } = plainSerdes
    return this.committed(topicNames.callback).map(record => callback.deserialize(record.value!))
  }

  #drawGuarantee(random: Random): Guarantee {
    if (this.guarantee !== 'either') return this.guarantee
    return random.next() < 0.5 ? 'exactly-once' : 'at-least-once'
  }

  #onAttempt(machine: EmailMachine, identity: string): void {
    const process = machine.process!
    const begun = this.#attemptsBegun.get(process) ?? new Map<string, number>()
    this.#attemptsBegun.set(process, begun.set(identity, this.simulation.clock.monotonicMs()))
    this.atMoment(machine)
  }

  #onDot(
    process: SimulatedProcess,
    { identity, recipients, site: { address } }: DottedMail,
    doubtAt: string | undefined,
  ): void {
    const { source, requestId } = nameOf(identity)
    const to = recipients.join(' and ')
    const what = `the dot of ${source} ${requestId} to ${to} at ${address}`
    this.simulation.story.tell(process.id, `writes ${what}`)
    if (doubtAt !== undefined) this.broken.push(`${what}, while ${doubtAt} may have it`)
    const machine = this.machines.find(each => each.process === process)
    if (machine !== undefined) this.atMoment(machine)
    const begunMs = this.#attemptsBegun.get(process)?.get(identity)
    const ageMs = this.simulation.clock.monotonicMs() - (begunMs ?? -Infinity)
    if (ageMs < dotMaxMs) return
    const late = begunMs === undefined ? 'without a transaction 1' : `${Math.round(ageMs)} ms late`
    this.broken.push(`${source} ${requestId}: a dot of ${process.id} ${late}`)
  }

  /** A full disk and a false alarm about the instance id end a process; its supervisor starts it again. */
  #onEnd(machine: EmailMachine, error: unknown): void {
    const code = errorCodeOf(error) ?? 'none'
    this.simulation.story.tell(machine.name, `ended: ${describeError(error)}`)
    if (error === undefined) this.reached.note('stopped in order')
    else if (code === 'DISK_FULL' || code === 'INSTANCE_ID_IN_USE') this.reached.note(code)
    else this.broken.push(`${machine.name} failed: ${code} ${describeError(error)}`)
  }

  #logOf(name: string): Logger {
    const say = (fields: Readonly<Record<string, unknown>>, message = ''): void => {
      const { event, code } = fields
      this.reached.note([event, code].filter(each => typeof each === 'string').join(' '))
      this.simulation.story.tell(name, `${message} ${JSON.stringify(fields)}`)
    }
    return { debug: say, info: say, warn: say, error: say }
  }

  get group() {
    return this.simulation.broker.group(applicationId)
  }
}
