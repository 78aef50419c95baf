import type { EffectEnd } from '../../src/effects/effect.ts'
import type { EffectInput } from '../../src/effects/engine-options.ts'
import { emailTopology, type EmailTopologyOptions } from '../../src/email/email-topology.ts'
import type {
  EmailCallback,
  EmailFailed,
  EmailRequested,
  EmailSent,
  EmailSuppressed,
} from '../../src/email/records.ts'
import { schemaText } from '../../src/email/schemas.ts'
import { type EmailSerdes, emailTopics } from '../../src/email/topics.ts'
import type { MailRequest } from '../../src/sinks/mail-request.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { TopologyTestDriver } from '../../src/testing/topology-test-driver.ts'
import type { Topic } from '../../src/topology/topology.ts'
import { noonMs } from './email-requests.ts'
import { plainAvroSerde } from './plain-avro-serde.ts'

export const flowWindowMs = 7 * 24 * 3_600_000

/** Sends nothing: what it is for is told by a test. */
export const idleSink: Sink<MailRequest> = {
  concurrencyMax: 1,
  prepare: () => Promise.reject(new Error('nothing is sent')),
  close: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

export const plainSerdes: EmailSerdes = {
  requested: plainAvroSerde<EmailRequested>(schemaText('email.requested')),
  dedup: plainAvroSerde<EmailRequested>(schemaText('email.dedup')),
  sent: plainAvroSerde<EmailSent>(schemaText('email.sent')),
  failed: plainAvroSerde<EmailFailed>(schemaText('email.failed')),
  callback: plainAvroSerde<EmailCallback>(schemaText('email.callback')),
  suppressed: plainAvroSerde<EmailSuppressed>(schemaText('email.suppressed')),
}

/** The whole topology in memory. Mails are not sent: the test says how each ended. */
export class EmailFlow {
  readonly topics = emailTopics(plainSerdes, flowWindowMs)
  #reports: Topic = this.topics.bounces
  readonly driver: TopologyTestDriver

  constructor(options: Pick<EmailTopologyOptions, 'bounces'> = {}) {
    const topology = emailTopology({
      serdes: plainSerdes,
      sink: idleSink,
      dedupWindowMs: flowWindowMs,
      outcomesKeptMs: flowWindowMs,
      inDoubt: 'hold',
      retryDelaysMs: [],
      ...options,
    })
    const source = topology.nodes.find(each => each.kind === 'source' && each.name === 'reports')
    if (source?.kind === 'source') this.#reports = source.topic
    this.driver = new TopologyTestDriver(topology, {
      applicationId: 'mailonce',
      partitions: 3,
      startMs: noonMs,
    })
  }

  /** A message that came to where reports go. It is taken apart beforehand, as the runtime does. */
  async report(value: Buffer): Promise<void> {
    await this.#reports.value.prepare(value)
    this.driver.pipeBytes(this.#reports, { key: null, value })
  }

  /** In the partition of the request id unless another is named. */
  request(value: EmailRequested, partition?: number): void {
    const key = partition === undefined ? Buffer.from(value.requestId) : null
    const record = partition === undefined ? { key, value } : { key, value, partition }
    this.driver.pipe(this.topics.requested, record)
  }

  /** The open mails in the order in which they were taken. */
  mails(): readonly EffectInput<unknown>[] {
    return this.driver.requests('send')
  }

  /** Ends the first open mail: well, unless it is said otherwise. */
  endMail(end: Partial<EffectEnd<unknown>> = {}): void {
    const mail = this.mails()[0]
    if (mail === undefined) throw new Error('there is no open mail')
    this.driver.end('send', mail, end)
  }

  callbacks(): string[] {
    return this.driver
      .output(this.topics.callback)
      .map(({ value }) => `${value?.sequence} ${value?.outcome} ${value?.detail}`)
  }

  failures(): string[] {
    return this.driver.output(this.topics.failed).map(({ value }) => String(value?.reason))
  }
}
