/* `npm run bench -- --help` */
import { cpus, loadavg, totalmem } from 'node:os'
import { parseArgs } from 'node:util'

import { alternate, ratios, spreads } from './alternate.ts'
import { dedupAtLeastOnce } from './dedup-at-least-once.ts'
import { dedupLatency } from './dedup-latency.ts'
import { dedupStage, dedupStageThreads } from './dedup-stage.ts'
import { handOver } from './hand-over.ts'
import { largeMails } from './large-mails.ts'
import { latency, latencyQuiet } from './latency.ts'
import { mails, mailsFewConnections, mailsThreads } from './mails.ts'
import { whyNoPeers } from './peers.ts'
import { priority } from './priority.ts'
import { report } from './report.ts'
import { restart } from './restart.ts'
import { restore } from './restore.ts'
import type { Scenario, ScenarioOptions } from './scenario.ts'
import { soak } from './soak.ts'
import { steady } from './steady.ts'
import { timers } from './timers.ts'

const scenarios: readonly Scenario[] = [
  dedupStage,
  dedupStageThreads,
  dedupAtLeastOnce,
  dedupLatency,
  mails,
  mailsFewConnections,
  mailsThreads,
  latency,
  latencyQuiet,
  timers,
  priority,
  restore,
  restart,
  handOver,
  largeMails,
]
/** Run by name only. */
const longScenarios: readonly Scenario[] = [soak, steady]
const all = [...scenarios, ...longScenarios]
const help = `npm run bench -- [SCENARIO …] [FLAG …]

${all.map(each => `  ${each.name.padEnd(20)} ${each.what}`).join('\n')}

  --against-peers        the peers in ../shared/peers (or $MAILONCE_PEERS) take turns with mailonce
  --runs N               runs of each whose median counts, after one that is thrown away (5; 1 throws none away)
  --records N            of the dedup stage (1111111; 300000 for a short look)
  --keys N               known requests, of the scenarios with much state (10000000; restore 1000000)
  --mails N              of the scenarios mails and large-mails (60000)
  --minutes N            of soak (10) and steady (60), which run when named
  --seconds N            of the latency scenarios (30)
  --cpu-profile DIR      leaves a profile of every measured mailonce process there
  --json                 one line of JSON for each scenario, with every run
`
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    'against-peers': { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
    records: { type: 'string', default: '1111111' },
    keys: { type: 'string' },
    mails: { type: 'string', default: '60000' },
    minutes: { type: 'string' },
    seconds: { type: 'string', default: '30' },
    'cpu-profile': { type: 'string' },
  },
})
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
const unknown = positionals.filter(name => !all.some(each => each.name === name))
if (unknown.length > 0) throw new Error(`no such scenario: ${unknown.join(', ')}\n${help}`)
const missing = values['against-peers'] ? whyNoPeers() : undefined
if (missing !== undefined) process.stderr.write(`without peers: ${missing}\n`)
const options: ScenarioOptions = {
  records: Number(values.records),
  ...(values.keys !== undefined && { keys: Number(values.keys) }),
  mails: Number(values.mails),
  seconds: Number(values.seconds),
  ...(values.minutes !== undefined && { minutes: Number(values.minutes) }),
  againstPeers: values['against-peers'] && missing === undefined,
  nodeFlags: [
    // As bin/mailonce.js has it.
    '--max-semi-space-size=16',
    '--heap-growing-percent=200',
    ...(values['cpu-profile'] ? ['--cpu-prof', `--cpu-prof-dir=${values['cpu-profile']}`] : []),
  ],
}
const runs = Number(values.runs)

const chosen =
  positionals.length === 0 ? scenarios : all.filter(each => positionals.includes(each.name))
for (const scenario of chosen) {
  await using arena = await scenario.open(options)
  const results = await alternate(arena, runs, (contender, figures) =>
    process.stderr.write(`${scenario.name} ${contender} ${JSON.stringify(figures)}\n`),
  )
  const load = loadavg()[0]!
  if (!values.json) process.stdout.write(report(scenario, results, arena.compared, load))
  else
    process.stdout.write(
      `${JSON.stringify({
        scenario: scenario.name,
        cores: cpus().length,
        processor: cpus()[0]?.model,
        memoryGb: Math.round(totalmem() / 2 ** 30),
        node: process.version,
        load,
        options,
        contenders: Object.fromEntries(
          results.map(each => [each.contender, { figures: spreads(each.runs), runs: each.runs }]),
        ),
        ratios: ratios(results, arena.compared),
      })}\n`,
    )
}
