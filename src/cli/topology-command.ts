import { StreamsError } from '../errors.ts'
import { emailTopology } from '../email/email-topology.ts'
import { bytesSerde, type Serde } from '../serde.ts'
import { SmtpSink } from '../sinks/smtp-sink.ts'
import { describeTopology } from '../topology/describe.ts'
import { mermaidTopology } from '../topology/mermaid.ts'
import type { Invocation } from './command.ts'

/** `topology`: asks nobody, connects to nothing. */
export async function topologyCommand({ flags, terminal }: Invocation): Promise<number> {
  const format = flags.get('format')?.[0] ?? 'text'
  if (format !== 'text' && format !== 'mermaid') {
    throw new StreamsError(
      'CONFIGURATION_INVALID',
      `--format: ${JSON.stringify(format)} is not text or mermaid`,
    )
  }
  // A description decodes nothing and sends nothing.
  const serde = bytesSerde as unknown as Serde<never>
  await using sink = new SmtpSink({ url: 'smtp://127.0.0.1', from: 'mailonce@localhost' })
  const topology = emailTopology({
    serdes: {
      requested: serde,
      dedup: serde,
      sent: serde,
      failed: serde,
      callback: serde,
      suppressed: serde,
    },
    sink,
    dedupWindowMs: 1,
    outcomesKeptMs: 1,
    inDoubt: 'hold',
    retryDelaysMs: [],
  })
  const text = format === 'text' ? describeTopology(topology) : mermaidTopology(topology)
  terminal.print(text.trimEnd())
  return 0
}
