import type { StreamRecord } from './topology.ts'

/** What the compiler shows instead of a page of generics: nothing is assignable to it, so its message is read. */
export interface TopologyTypeError<Message extends string> {
  readonly topologyTypeError: Message
}

/** What the builder's type knows of a node. */
export interface NodeType {
  readonly record: StreamRecord
  /** `every`: all children get every record. `some`: the node chooses a child for each. `none`: a sink. */
  readonly forwards: 'every' | 'some' | 'none'
  readonly isSource: boolean
}

/** The nodes so far, by name. */
export type NodeTypes = Readonly<Record<string, NodeType>>

export type NoNodes = Readonly<Record<never, NodeType>>

/** The nodes so far and one more. */
export type WithNode<
  Nodes extends NodeTypes,
  Name extends string,
  Record extends StreamRecord,
  Forwards extends NodeType['forwards'],
  IsSource extends boolean = false,
> = Nodes & {
  readonly [Each in Name]: {
    readonly record: Record
    readonly forwards: Forwards
    readonly isSource: IsSource
  }
}

/** One parent or several. */
export type Parents = string | readonly string[]

type NamesOf<From extends Parents> = From extends readonly (infer Name extends string)[]
  ? Name
  : Extract<From, string>

/** The records of all parents. */
export type RecordOf<Nodes extends NodeTypes, From extends Parents> = {
  [Name in NamesOf<From>]: Name extends keyof Nodes ? Nodes[Name]['record'] : never
}[NamesOf<From>]

/** The name, when no node has it yet. */
export type FreshName<Nodes extends NodeTypes, Name extends string> = Name extends keyof Nodes
  ? TopologyTypeError<`a node named '${Name}' already exists`>
  : Name

/** The parents, when all of them exist and forward records that `In` takes. */
export type FittingParents<Nodes extends NodeTypes, From extends Parents, In> = [
  FirstProblem<Nodes, NamesOf<From>, In>,
] extends [never]
  ? From
  : TopologyTypeError<FirstProblem<Nodes, NamesOf<From>, In>>

/** The name of a source. */
export type SourceName<Nodes extends NodeTypes, Name extends string> = [
  SourceProblem<Nodes, Name>,
] extends [never]
  ? Name
  : TopologyTypeError<SourceProblem<Nodes, Name>>

type SourceProblem<Nodes extends NodeTypes, Name extends string> = Name extends keyof Nodes
  ? Nodes[Name]['isSource'] extends true
    ? never
    : `'${Name}' is not a source`
  : `there is no node named '${Name}' before this one`

/** Distributes over the names: never when all of them fit. */
type FirstProblem<Nodes extends NodeTypes, Name extends string, In> = Name extends keyof Nodes
  ? Nodes[Name]['forwards'] extends 'none'
    ? `'${Name}' is a sink: nothing comes out of it`
    : Fits<Nodes[Name], In> extends true
      ? never
      : `the records of '${Name}' are not what this node takes`
  : `there is no node named '${Name}' before this one`

/** A node that chooses a child for each record may forward several kinds; a child then takes one of them. */
type Fits<Node extends NodeType, In> = Node['forwards'] extends 'some'
  ? [Extract<Node['record'], In>] extends [never]
    ? false
    : true
  : [Node['record']] extends [In]
    ? true
    : false
