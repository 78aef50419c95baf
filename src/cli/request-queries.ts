import type { Delivery } from '../effects/delivery.ts'
import { endedKey, endedPrefix, openKey } from '../effects/outbox.ts'
import { identityOf, type RequestName } from '../email/identity.ts'
import { type OutcomeEntry, outcomeKey } from '../email/outcome-store.ts'
import type { OwnedStore, StoreQueries } from '../runtime/store-queries.ts'
import { decoded } from './request-id.ts'
import { type RequestStatus, statusOf, statusOfEnd } from './request-status.ts'

/** Status code and JSON body. */
export interface QueryAnswer {
  readonly status: number
  readonly body: unknown
  /** URL to ask instead. */
  readonly location?: string
}

/** In-doubt requests of one instance, the oldest first. */
export interface InDoubtAnswer {
  readonly requests: readonly RequestStatus[]
  /** True when there are more than are listed. */
  readonly truncated: boolean
  /** Parts of the store that were looked at here, and how many there are anywhere. */
  readonly parts: number
  readonly partsOfAll: number
  /** Where this one answers, as the others are told; null when they are not. */
  readonly instance: string | null
  /** Where everybody answers who does, HOST:PORT. */
  readonly instances: readonly string[]
}

const scanPage = 1000
const listMax = 1000
/** As an outbox entry spells it: entries without it are passed over undecoded. */
const inDoubtMark = Buffer.from('"end":"in-doubt"')

/**
 * `/requests/in-doubt`, `/requests/SOURCE/REQUESTID` and, for what never came as far as sending, `/requests/SOURCE/REQUESTID/end`.
 * Answers for what this instance owns: 307 leads to who owns the rest, 503 means that nobody is known to. Undefined for any other path.
 */
export async function answerQuery(
  path: string,
  queries: StoreQueries | undefined,
): Promise<QueryAnswer | undefined> {
  const [root, ...segments] = path.split('/').slice(1).map(decoded)
  if (root !== 'requests' || segments.length === 0 || segments.length > 3) return undefined
  if (queries === undefined) return { status: 503, body: { error: 'not running yet' } }
  const [source, requestId, end] = segments
  if (segments.length === 1)
    return source === 'in-doubt' ? { status: 200, body: await listInDoubt(queries) } : undefined
  if (source === undefined || requestId === undefined) return undefined
  const question = { path, queries, name: { source, requestId } }
  if (segments.length === 2) return answerFrom(question, 'outbox', deliveryStatus)
  return end === 'end' ? answerFrom(question, 'outcomes', endStatus) : undefined
}

interface Question {
  readonly path: string
  readonly queries: StoreQueries
  readonly name: RequestName
}

type Look = (store: OwnedStore, identity: string) => Promise<RequestStatus | undefined>

async function answerFrom(
  { path, queries, name }: Question,
  storeName: string,
  look: Look,
): Promise<QueryAnswer> {
  const owner = queries.ownerOf(storeName, Buffer.from(name.requestId))
  if (!owner.isHere) return elsewhere(owner.http, path)
  const status = await look(owner.store, identityOf(name))
  return status ? { status: 200, body: status } : { status: 404, body: { error: 'not known' } }
}

function elsewhere(http: string | undefined, path: string): QueryAnswer {
  if (http === undefined) return { status: 503, body: { error: 'nobody is known to own it now' } }
  return { status: 307, body: { owner: http }, location: `http://${http}${path}` }
}

const deliveryStatus: Look = async ({ definition, backend }, identity) => {
  const [open, ended] = await backend.getMany([openKey(identity), endedKey(identity)])
  const bytes = open ?? ended
  return bytes && statusOf(definition.value.deserialize(bytes) as Delivery)
}

const endStatus: Look = async ({ definition, backend }, identity) => {
  const [bytes] = await backend.getMany([outcomeKey(identity)])
  const entry = bytes && (definition.value.deserialize(bytes) as OutcomeEntry)
  return entry?.kind === 'outcome' && entry.end ? statusOfEnd(identity, entry.end) : undefined
}

async function listInDoubt(queries: StoreQueries): Promise<InDoubtAnswer> {
  const parts = queries.partsOf('outbox')
  const found: RequestStatus[] = []
  for (const part of parts) for await (const status of inDoubtOf(part)) found.push(status)
  const requests = found.toSorted((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1))
  return {
    requests: requests.slice(0, listMax),
    truncated: requests.length > listMax,
    parts: parts.length,
    partsOfAll: queries.partitionsOf('outbox'),
    instance: queries.instance ?? null,
    instances: [...new Set(queries.instances.map(each => each.http))],
  }
}

async function* inDoubtOf({ definition, backend }: OwnedStore): AsyncGenerator<RequestStatus> {
  for (let after = endedPrefix; ;) {
    const page = await backend.scan(endedPrefix, after, scanPage)
    for (const [, bytes] of page) {
      if (!bytes.includes(inDoubtMark)) continue
      const delivery = definition.value.deserialize(bytes) as Delivery
      // The words may stand in the mail itself.
      if (delivery.state.kind === 'ended' && delivery.state.end === 'in-doubt')
        yield statusOf(delivery)
    }
    const last = page.at(-1)
    if (last === undefined) return
    after = last[0]
  }
}
