import type { ResolvedConfiguration } from './configuration.ts'
import type { SettingName } from './settings.ts'
import type { Terminal } from './terminal.ts'

/** A flag that belongs to one command and is no setting. */
export interface Flag {
  /** What stands for the value in `--help`; a switch has none. */
  readonly placeholder?: string
  readonly help: string
  /** May be given more than once. */
  readonly multiple?: boolean
}

/** What a command is about: its one word that is no flag. */
export interface Argument {
  readonly placeholder: string
}

/** Values of a command's own flags, in the order given; a switch that was given is `['true']`. */
export type FlagValues = ReadonlyMap<string, readonly string[]>

export interface Invocation {
  readonly configuration: ResolvedConfiguration
  readonly flags: FlagValues
  /** '' for a command that takes none. */
  readonly argument: string
  readonly terminal: Terminal
}

/** Resolves with the exit code; what it throws is printed as one line. */
export type RunCommand = (invocation: Invocation) => Promise<number>

export interface Command {
  /** One word or two. */
  readonly name: string
  readonly summary: string
  /** Paragraphs of its help page. */
  readonly description: readonly string[]
  /** Required where there is one. */
  readonly argument?: Argument
  readonly settings: readonly SettingName[]
  readonly flags: Readonly<Record<string, Flag>>
  /** Imports what the command needs, only when it is the one that was asked for: nobody waits for what he does not use. */
  readonly load: () => Promise<RunCommand>
}
