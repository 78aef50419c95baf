import { openBenchWorld } from './bench-world.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { loadRequests } from './load-requests.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Scenario } from './scenario.ts'

/** Everything: `email.requested` to `email.sent`, exactly once, to a sink on this machine. */
export const mails: Scenario = {
  name: 'mails',
  what: 'end to end, mails to a local sink',
  run: async ({ mails: count, nodeFlags, runs }) => {
    const results: Record<string, number>[] = []
    for (let run = 0; run < runs; run += 1)
      for (const connections of [20, 200]) {
        const figures = await once(count, connections, nodeFlags)
        const last = connections === 20 ? {} : results.pop()
        results.push({ ...last, ...figures })
      }
    return results
  },
}

async function once(
  count: number,
  connections: number,
  nodeFlags: readonly string[],
): Promise<Record<string, number>> {
  await using world = await openBenchWorld()
  await using relay = await CountingSmtpProcess.start()
  await loadRequests(world, { records: count, duplicatePercent: 0, textBytes: 600 })
  await using processor = new ProcessorProcess(
    [
      `--kafka=${world.kafka}`,
      `--schema-registry=${world.registryUrl}`,
      `--smtp=${relay.url}`,
      `--state-dir=${world.directory}/state`,
      `--smtp-connections=${connections}`,
    ],
    nodeFlags,
  )
  await processor.ready
  const before = processor.cpuSeconds()
  const accepted = async () => (await relay.counts()).accepted
  while ((await accepted()) < count) await new Promise(resolve => setTimeout(resolve, 100))
  const cpuSeconds = processor.cpuSeconds() - before
  const deliveries = await relay.deliveries()
  const times = deliveries.map(each => each.atMs)
  const seconds = (Math.max(...sample(times)) - Math.min(...sample(times))) / 1000
  return {
    [`mailsPerSecond${connections}Connections`]: Math.round(count / seconds),
    [`cpuMicrosPerMail${connections}Connections`]: Math.round((cpuSeconds / count) * 1e6),
  }
}

/** First and last are enough: they come in order. */
function sample(times: readonly number[]): number[] {
  return [times[0]!, times.at(-1)!]
}
