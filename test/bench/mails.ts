import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { topicNames } from '../../src/email/topic-names.ts'
import { CountingSmtpProcess } from '../support/smtp/counting-smtp-process.ts'
import { type BenchWorld, createTopic, openBenchWorld, renewTopics } from './bench-world.ts'
import { loadRequests } from './load-requests.ts'
import { machineCpuSeconds } from './machine-time.ts'
import { smtpPeer } from './peers.ts'
import { ProcessorProcess } from './processor-process.ts'
import type { Delivery } from '../support/smtp/delivery-journal.ts'
import type { Figures, Scenario } from './scenario.ts'

/** At its best here: more connections make it slower. */
const peersConnections = 50
const compared = ['mailsPerSecond', 'mailsPerSecondSecondHalf', 'cpuMicrosPerMail']
/** Sent before anything is counted, by both: code is compiled meanwhile. */
const warmUp = 10_000

/** Everything, `email.requested` to `email.sent`, exactly once, to a sink on this machine; beside it nodemailer's pool with nothing around it. */
export const mails = mailsScenario('mails', 200)

/** The same with a relay that allows few connections. */
export const mailsFewConnections = mailsScenario('mails-20', 20)

/** The first again, by two workers of one process, who share the connections. */
export const mailsThreads = mailsScenario('mails-threads', 200, 2)

function mailsScenario(name: string, connections: number, threads = 1): Scenario {
  const by = threads === 1 ? '' : `, ${threads} threads`
  return {
    name,
    what: `end to end, mails to a local sink over at most ${connections} connections${by}`,
    open: async ({ mails: count, nodeFlags, againstPeers }) => {
      await using resources = new AsyncDisposableStack()
      const world = resources.use(await openBenchWorld())
      await createTopic(world, topicNames.requested)
      // Of one broker: a new one compiles its code for a minute, on the cores that are measured. All else is new in each.
      let runs = 0
      const run = async () => {
        await renewTopics(world)
        runs += 1
        return ours(world, { applicationId: `run-${runs}`, count, connections, threads, nodeFlags })
      }
      const contenders = [{ name: 'mailonce', run }]
      const share = Math.min(peersConnections, connections)
      if (againstPeers) contenders.push({ name: 'nodemailer', run: () => theirs(count, share) })
      const parts = resources.move()
      return { contenders, compared, [Symbol.asyncDispose]: () => parts.disposeAsync() }
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
    `--warmup=${warmUp}`,
  ])
  const { cpuMicrosPerMail } = JSON.parse(stdout) as { cpuMicrosPerMail: number }
  return { ...ratesOf(await relay.deliveries(), warmUp), cpuMicrosPerMail }
}

/** What the relay saw, in the order in which it came. The second half shows what warm code does: ours is more, and takes longer to get warm. */
function ratesOf(deliveries: readonly Delivery[], uncounted: number): Figures {
  const times = deliveries.map(each => each.atMs)
  const rate = (from: number): number =>
    (times.length - from) / ((times.at(-1)! - times[from - 1]!) / 1000)
  return {
    mailsPerSecond: rate(uncounted),
    mailsPerSecondSecondHalf: rate(Math.floor((uncounted + times.length) / 2)),
  }
}

interface Setting {
  readonly applicationId: string
  readonly count: number
  readonly connections: number
  readonly threads: number
  readonly nodeFlags: readonly string[]
}

async function ours(world: BenchWorld, setting: Setting): Promise<Figures> {
  const { applicationId, count, connections, threads, nodeFlags } = setting
  await using relay = await CountingSmtpProcess.start()
  const all = count + warmUp
  await loadRequests(world, { records: all, duplicatePercent: 0, textBytes: 600 })
  await using processor = new ProcessorProcess(
    [
      `--kafka=${world.kafka}`,
      `--schema-registry=${world.registryUrl}`,
      `--smtp=${relay.url}`,
      `--application-id=${applicationId}`,
      `--state-dir=${world.directory}/state`,
      `--smtp-connections=${connections}`,
      `--threads=${threads}`,
    ],
    nodeFlags,
  )
  await processor.ready
  const reached = async (least: number) => {
    for (;;) {
      const accepted = await relay.accepted()
      const cpuSeconds = processor.cpuSeconds()
      if (accepted >= least) return { accepted, cpuSeconds, allSeconds: machineCpuSeconds() }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  const warm = await reached(warmUp)
  const end = await reached(all)
  const counted = all - warm.accepted
  const commits = await processor.metric('mailonce_commit_duration_ms_count')
  const commitMs = await processor.metric('mailonce_commit_duration_ms_sum')
  return {
    ...ratesOf(await relay.deliveries(), warm.accepted),
    cpuMicrosPerMail: ((end.cpuSeconds - warm.cpuSeconds) / counted) * 1e6,
    // Of the broker and the relay too: two cores make no more mails than this leaves room for.
    machineCpuMicrosPerMail: ((end.allSeconds - warm.allSeconds) / counted) * 1e6,
    mailsPerCommit: all / commits,
    commitMs: commitMs / commits,
  }
}
