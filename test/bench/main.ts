/* `npm run bench -- [SCENARIO …] [--json] [--runs N] [--records N] [--mails N] [--seconds N] [--cpu-profile DIR]` */
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'

import { dedupStage } from './dedup-stage.ts'
import { latency } from './latency.ts'
import { mails } from './mails.ts'
import type { Scenario, ScenarioOptions } from './scenario.ts'

const scenarios: readonly Scenario[] = [dedupStage, mails, latency]
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    records: { type: 'string', default: '500000' },
    mails: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '20' },
    'cpu-profile': { type: 'string' },
  },
})
const options: ScenarioOptions = {
  runs: Number(values.runs),
  records: Number(values.records),
  mails: Number(values.mails),
  seconds: Number(values.seconds),
  nodeFlags: values['cpu-profile'] ? ['--cpu-prof', `--cpu-prof-dir=${values['cpu-profile']}`] : [],
}
const chosen = scenarios.filter(each => positionals.length === 0 || positionals.includes(each.name))
if (chosen.length === 0)
  throw new Error(`no such scenario; there are ${scenarios.map(each => each.name).join(', ')}`)

for (const scenario of chosen) {
  const results = await scenario.run(options)
  const figures = summary(results)
  if (values.json) {
    const machine = { cores: cpus().length, node: process.version, load: loadavg()[0] }
    process.stdout.write(
      `${JSON.stringify({ scenario: scenario.name, ...machine, figures, results })}\n`,
    )
  } else print(scenario, figures)
}

type Figures = Readonly<
  Record<string, { readonly median: number; readonly min: number; readonly max: number }>
>

function summary(results: readonly Readonly<Record<string, number>>[]): Figures {
  const names = Object.keys(results[0] ?? {})
  return Object.fromEntries(
    names.map(name => {
      const sorted = results.map(each => each[name] ?? NaN).toSorted((a, b) => a - b)
      return [name, { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! }]
    }),
  )
}

function print(scenario: Scenario, figures: Figures): void {
  process.stdout.write(`\n${scenario.what} (load ${loadavg()[0]!.toFixed(1)})\n`)
  for (const [name, { median, min, max }] of Object.entries(figures))
    process.stdout.write(`  ${name.padEnd(32)} ${String(median).padStart(10)}   ${min} – ${max}\n`)
}
