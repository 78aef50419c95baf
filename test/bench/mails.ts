import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { topicNames } from '../../src/email/topic-names.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { createTopic, openBenchWorld } from './bench-world.ts'
import { loadRequests } from './load-requests.ts'
import { smtpPeer } from './peers.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Figures, Scenario } from './scenario.ts'

/** At its best here: more connections make it slower. */
const peersConnections = 50
const compared = ['mailsPerSecond', 'cpuMicrosPerMail']

/** Everything, `email.requested` to `email.sent`, exactly once, to a sink on this machine; beside it nodemailer's pool with nothing around it. */
export const mails = mailsScenario('mails', 200)

/** The same with a relay that allows few connections. */
export const mailsFewConnections = mailsScenario('mails-20', 20)

function mailsScenario(name: string, connections: number): Scenario {
  return {
    name,
    what: `end to end, mails to a local sink over at most ${connections} connections`,
    open: ({ mails: count, nodeFlags, againstPeers }) => {
      const contenders = [{ name: 'mailonce', run: () => ours(count, connections, nodeFlags) }]
      const share = Math.min(peersConnections, connections)
      if (againstPeers) contenders.push({ name: 'nodemailer', run: () => theirs(count, share) })
      const nothing = (): Promise<void> => Promise.resolve()
      return Promise.resolve({ contenders, compared, [Symbol.asyncDispose]: nothing })
    },
  }
}

async function theirs(count: number, connections: number): Promise<Figures> {
  await using relay = await CountingSmtpProcess.start()
  const { stdout } = await promisify(execFile)(process.execPath, [
    smtpPeer('limit.mjs'),
    `--port=${new URL(relay.url).port}`,
    `--connections=${connections}`,
    `--mails=${count}`,
  ])
  const line = JSON.parse(stdout) as Record<string, number>
  return Object.fromEntries(compared.map(name => [name, line[name]!]))
}

async function ours(
  count: number,
  connections: number,
  nodeFlags: readonly string[],
): Promise<Figures> {
  await using world = await openBenchWorld()
  await using relay = await CountingSmtpProcess.start()
  await createTopic(world, topicNames.requested)
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
  const commits = await processor.metric('mailonce_commit_duration_ms_count')
  const commitMs = await processor.metric('mailonce_commit_duration_ms_sum')
  return {
    mailsPerSecond: count / seconds,
    cpuMicrosPerMail: (cpuSeconds / count) * 1e6,
    mailsPerCommit: count / commits,
    commitMs: commitMs / commits,
  }
}

/** First and last are enough: they come in order. */
function sample(times: readonly number[]): number[] {
  return [times[0]!, times.at(-1)!]
}
