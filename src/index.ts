// Topology
export { TopologyBuilder, type SourceOptions } from './topology/builder.ts'
export { topic, type TopicOptions } from './topology/topic.ts'
export {
  type FindTable,
  type GlobalTable,
  globalTable,
  type GlobalTableOptions,
  type TableBound,
  type TableView,
} from './global-table.ts'
export type {
  PrefetchKey,
  Processor,
  ProcessorContext,
  Punctuation,
  RecordHeader,
  RecordOrigin,
  StreamRecord,
  Topic,
  Topology,
} from './topology/topology.ts'
export { describeTopology } from './topology/describe.ts'
export { mermaidTopology } from './topology/mermaid.ts'
export { murmur2, partitionForKey } from './topology/partitioner.ts'

// Serdes
export { bytesSerde, type Serde, utf8Serde } from './serde.ts'
export { createAvroSerde } from './kafka/avro-serde.ts'
export { SchemaRegistry } from './kafka/registry.ts'

// State
export type { KeyValueStore, StateDirectory, StoreDefinition } from './state/store.ts'
export { joinStateDirectory, openStateDirectory } from './state/state-directory.ts'
export { memoryStateDirectory } from './state/memory-state-directory.ts'

// Effects
export type {
  EffectDefinition,
  EffectEnd,
  EffectOutput,
  EffectPlan,
  EffectRecord,
} from './effects/effect.ts'
export { effectCommandSerde, outboxStore } from './effects/outbox.ts'
export { FileJournal, type Journal } from './effects/journal.ts'
export type {
  FailedAttempt,
  Outcome,
  OutcomeKind,
  PreparedAttempt,
  Sink,
  SinkAttempt,
  TargetReply,
} from './sinks/sink.ts'
export { SmtpSink } from './sinks/smtp-sink.ts'
export type { SmtpSinkOptions } from './sinks/smtp-options.ts'
export type { AuthMechanism, SmtpAuthOptions } from './sinks/smtp-auth.ts'
export type { DkimKeyOptions, DkimOptions } from './sinks/dkim-key.ts'
export type { SmtpTlsOptions, TlsPolicy } from './sinks/smtp-tls.ts'
export type { MailRequest } from './sinks/mail-request.ts'

// Running
export { Streams, type StreamsEnvironment, type StreamsState } from './runtime/streams.ts'
export type { Guarantee } from './runtime/committer.ts'
export type { StreamsOptions, StreamsSettings } from './runtime/streams-options.ts'
export { RuntimeMetrics } from './runtime/runtime-metrics.ts'
export { connectKafka } from './kafka/connect-kafka.ts'
export type { KafkaOptions } from './kafka/options.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Random, seededRandom, systemRandom } from './random.ts'
export { type Logger, silentLogger } from './log.ts'

// The flagship
export { emailTopology, type EmailTopologyOptions } from './email/email-topology.ts'
export type { EmailSerdes } from './email/topics.ts'
export type {
  EmailCallback,
  EmailFailed,
  EmailRequested,
  EmailSent,
  EmailSuppressed,
} from './email/records.ts'

// Testing
export { TopologyTestDriver } from './testing/topology-test-driver.ts'
export { Simulation } from './testing/simulation.ts'
export { ManualClock } from './testing/manual-clock.ts'

// Errors
export { errorCodes, type ErrorCode, type Recovery, StreamsError } from './errors.ts'
