import type { Arena, Figures } from './scenario.ts'

export interface Result {
  readonly contender: string
  /** In the order in which they were made, without the first. */
  readonly runs: readonly Figures[]
}

/**
 * A B A B …: what else the machine does meanwhile, and how warm it is, hits all of them alike. The first run of each is
 * thrown away when there are several.
 */
export async function alternate(
  { contenders }: Arena,
  runs: number,
  onRun: (contender: string, figures: Figures) => void,
): Promise<readonly Result[]> {
  const results = contenders.map(({ name }) => ({ contender: name, runs: [] as Figures[] }))
  const rounds = runs > 1 ? runs + 1 : 1
  for (let round = 0; round < rounds; round += 1)
    for (const [index, { name, run }] of contenders.entries()) {
      const figures = await run()
      onRun(name, figures)
      if (round > 0 || rounds === 1) results[index]!.runs.push(figures)
    }
  return results
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Of every figure over all runs. */
export function spreads(runs: readonly Figures[]): Readonly<Record<string, Spread>> {
  return Object.fromEntries(
    Object.keys(runs[0] ?? {}).map(name => {
      const sorted = runs.map(each => each[name] ?? NaN).toSorted((a, b) => a - b)
      return [name, { median: median(sorted), min: sorted[0]!, max: sorted.at(-1)! }]
    }),
  )
}

/** Of the medians: the first contender's to that of each other. */
export function ratios(
  results: readonly Result[],
  names: readonly string[],
): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const [ours, ...others] = results.map(({ contender, runs }) => ({ contender, of: spreads(runs) }))
  return Object.fromEntries(
    others.map(({ contender, of }) => [
      contender,
      Object.fromEntries(
        names.map(name => [name, (ours!.of[name]?.median ?? NaN) / (of[name]?.median ?? NaN)]),
      ),
    ]),
  )
}

function median(sorted: readonly number[]): number {
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
