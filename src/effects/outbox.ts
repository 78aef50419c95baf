import { StreamsError } from '../errors.ts'
import { type Json, JsonWriter } from '../json-writer.ts'
import type { Serde } from '../serde.ts'
import type { OutcomeKind, OutcomeNotes } from '../sinks/sink.ts'
import type { StoreDefinition } from '../state/store.ts'
import type { Decision, Delivery } from './delivery.ts'
import type { TargetState } from './effect.ts'

/** Open requests lie before the ended ones, so that a start reads the open ones alone. */
export const openPrefix = 'o|'
export const endedPrefix = 's|'
export const openKey = (identity: string): string => openPrefix + identity
export const endedKey = (identity: string): string => endedPrefix + identity

/**
 * The store of an effect. Its changelog is compacted and never deleted by age: an open request may be as old as its
 * retries. Ended ones are forgotten by tombstones, `rememberMs` after their end.
 */
export function outboxStore(name: string, rememberMs: number): StoreDefinition<Delivery> {
  return {
    name,
    kind: 'rocksdb',
    value: deliverySerde,
    // An entry is a whole request and its state: larger than what the input topic takes.
    changelogConfigs: {
      'cleanup.policy': 'compact',
      'max.message.bytes': String(64 * 1024 * 1024),
    },
    expiresAtMs: (_key, { state }) =>
      state.kind === 'ended' ? state.atMs + rememberMs : undefined,
  }
}

const formatVersion = 1

/** One version byte, the length of the delivery state as JSON, that state, the request's bytes untouched. */
export const deliverySerde: Serde<Delivery> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (delivery: Delivery) => {
    const { payload } = delivery
    writeState(delivery)
    const payloadAt = 5 + json.length
    const bytes = Buffer.allocUnsafe(payloadAt + payload.length)
    bytes[0] = formatVersion
    bytes.writeUInt32BE(json.length, 1)
    json.copyTo(bytes, 5)
    payload.copy(bytes, payloadAt)
    return bytes
  },
  deserialize: (bytes: Buffer) => {
    if (bytes[0] !== formatVersion)
      throw new StreamsError(
        'STORE_UNREADABLE',
        `an outbox entry of format ${bytes[0]}: a newer release wrote this store; run that one`,
      )
    const end = 5 + bytes.readUInt32BE(1)
    const stored = JSON.parse(bytes.toString('utf8', 5, end)) as StoredState
    return {
      ...stored,
      targets: stored.targets.map(each => withRetries(each, stored.retries)),
      // Entries of the first release have none.
      decisions: stored.decisions ?? [],
      key: Buffer.from(stored.key, 'base64'),
      headers: stored.headers.map(headerOf),
      payload: bytes.subarray(end),
    }
  },
})

const json = new JsonWriter()

/** All but the payload: what changes first, then what never does. */
function writeState(delivery: Delivery): void {
  const { plan, key, headers } = delivery
  json.begin()
  json.raw('{')
  let isFirst = true
  for (let index = 0; index < changing.length; index += 1) {
    const name = changing[index]!
    const value = delivery[name] as Json
    if (value === undefined) continue
    json.member(name, isFirst)
    json.value(value)
    isFirst = false
  }
  json.raw(',"plan":')
  json.value(plan)
  json.raw(',"key":')
  json.base64(key)
  json.raw(',"headers":[')
  for (let index = 0; index < headers.length; index += 1) writeHeader(headers[index]!, index === 0)
  json.raw(']}')
}

function writeHeader({ key, value }: Delivery['headers'][number], isFirst: boolean): void {
  json.raw(isFirst ? '[' : ',[')
  json.text(key)
  json.raw(',')
  if (value === null) json.raw('null')
  else json.base64(value)
  json.raw(']')
}

type Changing = Exclude<keyof Delivery, 'payload' | 'plan' | 'key' | 'headers'>

/** Each by its name, so that the compiler misses one that is new. */
const changing = Object.keys({
  targets: true,
  state: true,
  attempts: true,
  retries: true,
  drops: true,
  firstTryMs: true,
  firstDotMs: true,
  messageId: true,
  contentHash: true,
  relay: true,
  reply: true,
  acceptedAtMs: true,
  doubts: true,
  revising: true,
  decisions: true,
  origin: true,
} satisfies Record<Changing, true>) as readonly Changing[]

function headerOf(stored: StoredState['headers'][number]): Delivery['headers'][number] {
  const value = stored[1]
  return { key: stored[0], value: value === null ? null : Buffer.from(value, 'base64') }
}

/** Entries of the first release count the retries of all their targets together. */
function withRetries(each: TargetState, retries: number): TargetState {
  const { target, status, reply } = each
  const isOpen = status === 'pending' || status === 'unknown'
  return isOpen && each.retries === undefined ? { target, status, reply, retries } : each
}

type StoredState = Omit<Delivery, 'key' | 'headers' | 'payload' | 'decisions'> & {
  readonly decisions?: Delivery['decisions']
  readonly key: string
  readonly headers: readonly (readonly [string, string | null])[]
}

/** Evidence about an attempt: from a journal that came back, or a reply that a former owner still read. */
export interface EvidenceCommand extends OutcomeNotes {
  readonly kind: 'evidence'
  readonly identity: string
  readonly token: string
  readonly outcome: OutcomeKind
  readonly reply: string
  /** When it became known, wall clock, milliseconds. */
  readonly atMs: number
}

/** A person wants it not to be carried out: honoured until transaction 1 of a try. */
export interface CancelCommand {
  readonly kind: 'cancel'
  readonly identity: string
  readonly decision: Decision & { readonly kind: 'cancel' }
}

/** A person says what became, or is to become, of a request that ended in doubt at `endedAtMs`. */
export interface ResolveCommand {
  readonly kind: 'resolve'
  readonly identity: string
  readonly endedAtMs: number
  readonly decision: Decision & { readonly kind: 'sent' | 'resend' | 'fail' }
}

/** What reaches the owner of a request from outside its task. */
export type EffectCommand = EvidenceCommand | CancelCommand | ResolveCommand

export const effectCommandSerde: Serde<EffectCommand> = Object.freeze({
  isReady: () => true,
  prepare: () => Promise.resolve(),
  serialize: (command: EffectCommand) => Buffer.from(JSON.stringify(command)),
  deserialize: (bytes: Buffer) => {
    const command = parsed(bytes)
    if (isCommand(command)) return command
    throw new StreamsError('RECORD_UNDECODABLE', 'a command of a kind this release does not know')
  },
})

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new StreamsError('RECORD_UNDECODABLE', 'not a command', { cause })
  }
}

/** Looks at what the engine relies on: whoever may write to the topic may write anything. */
function isCommand(value: unknown): value is EffectCommand {
  const { kind, identity, token, endedAtMs, decision } = (value ?? {}) as Record<string, unknown>
  if (typeof identity !== 'string') return false
  if (kind === 'evidence') return typeof token === 'string'
  if (kind === 'cancel') return isDecision(decision, ['cancel'])
  if (kind !== 'resolve' || typeof endedAtMs !== 'number') return false
  return isDecision(decision, ['sent', 'resend', 'fail'])
}

function isDecision(value: unknown, kinds: readonly string[]): boolean {
  const { kind, by, why, atMs } = (value ?? {}) as Record<string, unknown>
  const texts = typeof by === 'string' && typeof why === 'string'
  return kinds.includes(String(kind)) && texts && typeof atMs === 'number'
}
