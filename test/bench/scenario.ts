/** What one run measured, by name; the same names in every run of a contender. */
export type Figures = Readonly<Record<string, number>>

/** One of those that are compared: `mailonce`, or a peer. */
export interface Contender {
  readonly name: string
  readonly run: () => Promise<Figures>
}

/** A world that is open: its contenders take turns in it. */
export interface Arena extends AsyncDisposable {
  readonly contenders: readonly Contender[]
  /** Names of figures of which the ratio, ours to the peer's, is reported. */
  readonly compared: readonly string[]
}

export interface Scenario {
  readonly name: string
  readonly what: string
  readonly open: (options: ScenarioOptions) => Promise<Arena>
}

export interface ScenarioOptions {
  readonly records: number
  /** Requests that are known before anything is measured, where not what the scenario takes by itself. */
  readonly keys?: number
  readonly mails: number
  readonly seconds: number
  /** Of the long scenarios, where not what they take by themselves. */
  readonly minutes?: number
  readonly againstPeers: boolean
  /** Passed to the measured process, for a profile. */
  readonly nodeFlags: readonly string[]
}
