export interface ScenarioOptions {
  readonly records: number
  readonly mails: number
  readonly seconds: number
  /** Runs whose median is reported. */
  readonly runs: number
  /** Passed to the measured process, for a profile. */
  readonly nodeFlags: readonly string[]
}

/** One measurement: some figures for each run. */
export interface Scenario {
  readonly name: string
  readonly what: string
  readonly run: (options: ScenarioOptions) => Promise<readonly Readonly<Record<string, number>>[]>
}
