import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EmailRequested } from '../../../src/email/records.ts'
import { topicNames } from '../../../src/email/topic-names.ts'
import { CountingSmtpProcess } from '../smtp/counting-smtp-process.ts'
import { eventually } from './eventually.ts'
import { ForeignAvro } from './foreign-avro.ts'
import { ForeignClient } from './foreign-client.ts'
import { MailonceInstance } from './mailonce-instance.ts'
import { Outcomes, outcomeTopics } from './outcomes.ts'
import { type PlannedRecord, type PlannedRequest, recordsOf } from './request-load.ts'
import { runMailonce } from './run-mailonce.ts'

/** Flags of `run`, without their dashes; `true` for one that takes no value, `false` for one that is left out. */
export type Settings = Readonly<Record<string, string | boolean>>

export interface Servers {
  readonly kafka: string
  readonly registryUrl: string
}

/** What tests share that share a broker: a second application on the same topics would mail everything again. */
export const applicationId = 'proof'

/**
 * The whole product among real parts: instances as processes, a counting relay, and Apache's client as the other teams.
 * Broker and registry are given; topics and schemas are made here.
 */
export class ProofWorld implements AsyncDisposable {
  readonly relay: CountingSmtpProcess
  readonly client: ForeignClient
  readonly outcomes: Outcomes
  readonly servers: Servers
  readonly stateRoot: string
  readonly #requested: ForeignAvro<EmailRequested>
  readonly #resources: AsyncDisposableStack
  readonly #instances: MailonceInstance[] = []

  private constructor(
    parts: Pick<ProofWorld, 'relay' | 'client' | 'outcomes' | 'servers' | 'stateRoot'>,
    requested: ForeignAvro<EmailRequested>,
    resources: AsyncDisposableStack,
  ) {
    this.relay = parts.relay
    this.client = parts.client
    this.outcomes = parts.outcomes
    this.servers = parts.servers
    this.stateRoot = parts.stateRoot
    this.#requested = requested
    this.#resources = resources
  }

  static async start(servers: Servers): Promise<ProofWorld> {
    const { kafka, registryUrl } = servers
    await using resources = new AsyncDisposableStack()
    const stateRoot = await mkdtemp(join(tmpdir(), 'mailonce-proof-'))
    resources.defer(() => rm(stateRoot, { recursive: true, force: true }))
    const relay = resources.use(await CountingSmtpProcess.start())
    await Promise.all([
      runMailonce('topics', 'create', '--kafka', kafka),
      runMailonce('schemas', 'register', '--schema-registry', registryUrl),
    ])
    const outcomes = await Outcomes.open(registryUrl)
    const client = resources.use(
      await ForeignClient.start(kafka, outcomeTopics, record => outcomes.add(record)),
    )
    const requested = await ForeignAvro.open<EmailRequested>(registryUrl, 'email.requested')
    const parts = { relay, client, outcomes, servers, stateRoot }
    return new ProofWorld(parts, requested, resources.move())
  }

  /** Starts an instance with a state directory of its own name; killed at the end, if it still runs then. `program` stands in for the command. */
  run(name: string, settings: Settings = {}, program?: string): MailonceInstance {
    const flags: Settings = {
      kafka: this.servers.kafka,
      'schema-registry': this.servers.registryUrl,
      smtp: this.relay.url,
      'application-id': applicationId,
      'instance-id': name,
      'state-dir': this.stateDirectory(name),
      http: '127.0.0.1:0',
      from: 'proof@example.org',
      'session-timeout': '6s',
      // Other tests have worked on the same topics, under names of their own.
      'take-over': true,
      ...settings,
    }
    const argv = Object.entries(flags).flatMap(([flag, value]) =>
      typeof value === 'string' ? [`--${flag}`, value] : value ? [`--${flag}`] : [],
    )
    const instance = new MailonceInstance(argv, program)
    this.#instances.push(instance)
    return this.#resources.use(instance)
  }

  stateDirectory(name: string): string {
    return join(this.stateRoot, name)
  }

  async publish(records: readonly PlannedRecord[]): Promise<void> {
    await this.client.publish(
      records.map(({ request, placement }) => ({
        topic: topicNames.requested,
        key: Buffer.from(request.requestId),
        value: this.encode(request),
        ...placement,
      })),
    )
  }

  encode(request: EmailRequested): Buffer {
    return this.#requested.encode(request)
  }

  /** How often the relay took the mail for each recipient. */
  async mailed(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>()
    for (const { recipients } of await this.relay.deliveries())
      for (const recipient of recipients) counts.set(recipient, (counts.get(recipient) ?? 0) + 1)
    return counts
  }

  /** Every one of these requests has ended. */
  async untilEnded(planned: readonly PlannedRecord[], withinMs = 90_000): Promise<void> {
    const open = (): string[] =>
      planned
        .map(each => each.request.requestId)
        .filter(id => this.outcomes.endsOf(id).length === 0)
    await this.#eventually('every request has ended', () => open().length === 0, {
      withinMs,
      seen: () => ({ open: open().length, first: open().slice(0, 5) }),
    })
  }

  /** Everybody who asked for a callback has got it, and one more for an end that was revised. */
  async untilCalledBack(planned: readonly PlannedRequest[]): Promise<void> {
    const waiting = (): PlannedRequest[] =>
      planned.filter(each => {
        const { requestId } = each.request
        const callbacks = this.outcomes.callbacksOf(requestId)
        const revised = callbacks.some(({ outcome }) => outcome === 'IN_DOUBT')
          ? this.outcomes.endsOf(requestId).length - 1
          : 0
        const asked = recordsOf([each]).filter(({ request }) => request.callback).length
        return callbacks.length < asked + revised
      })
    await this.#eventually('every callback has come', () => waiting().length === 0, {
      seen: () => ({ waiting: waiting().length, first: waiting()[0]?.request.requestId }),
    })
  }

  /** An instance that fails is the answer, not the time that passes without it. */
  async #eventually(
    what: string,
    holds: () => boolean,
    options: { readonly withinMs?: number; readonly seen: () => object },
  ): Promise<void> {
    const look = (): boolean => {
      for (const instance of this.#instances) instance.mustLive()
      return holds()
    }
    const seen = (): object => ({
      ...options.seen(),
      instances: this.#instances.map(each => each.lastNews()),
    })
    await eventually(what, look, { ...options, seen })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

/** The first time that all of them are ready. */
export async function untilRunning(instances: readonly MailonceInstance[]): Promise<void> {
  await eventually(
    'every instance is running',
    () => instances.every(each => each.hasLogged('running')),
    {
      seen: () => instances.map(each => each.log.slice(-5)),
    },
  )
}
