import { type Result, ratios, spreads } from './alternate.ts'
import type { Scenario } from './scenario.ts'

/** Medians, ratios and spread as text. */
export function report(
  { what }: Scenario,
  results: readonly Result[],
  compared: readonly string[],
  load: number,
): string {
  const lines = [`\n${what} (${results[0]?.runs.length} runs, load ${load.toFixed(1)})`]
  for (const { contender, runs } of results) {
    lines.push(`  ${contender}`)
    for (const [name, { median, min, max }] of Object.entries(spreads(runs)))
      lines.push(`    ${name.padEnd(32)} ${text(median)}   ${text(min)} – ${text(max)}`)
  }
  for (const [peer, figures] of Object.entries(ratios(results, compared))) {
    lines.push(`  times that of ${peer}`)
    for (const [name, ratio] of Object.entries(figures))
      lines.push(`    ${name.padEnd(32)} ${ratio.toFixed(2).padStart(10)}`)
  }
  return `${lines.join('\n')}\n`
}

function text(value: number): string {
  const digits = Math.abs(value) < 1000 ? 1 : 0
  return value.toFixed(digits).padStart(10)
}
