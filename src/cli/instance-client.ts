import { type Clock, sleep } from '../clock.ts'
import { describeError, StreamsError } from '../errors.ts'
import type { RequestName } from '../email/identity.ts'
import { type HostPort, hostPortText } from './parsers.ts'
import { requestIdText, requestPath } from './request-id.ts'
import type { InDoubtAnswer } from './request-queries.ts'
import type { RequestStatus } from './request-status.ts'

/** A scan of a large store takes its time. */
const answerMaxMs = 60_000
/** A rebalance ends within this, or a person should look at it. */
const rebalanceMaxMs = 15_000
const pollMs = 200

export interface InDoubtList {
  readonly requests: readonly RequestStatus[]
  /** Why it may lack some; empty when it does not. */
  readonly gaps: readonly string[]
}

/** Asks instances about requests: one that is named, which knows the others. */
export class InstanceClient {
  readonly #first: string
  readonly #clock: Clock

  constructor(first: HostPort, clock: Clock) {
    this.#first = hostPortText(first)
    this.#clock = clock
  }

  /** From the store that owns it. Throws REQUEST_UNKNOWN and INSTANCE_UNREACHABLE. */
  async status(name: RequestName): Promise<RequestStatus> {
    const path = requestPath(name)
    const status = (await this.#ask(path)) ?? (await this.#ask(`${path}/end`))
    if (status !== undefined) return status as RequestStatus
    throw new StreamsError(
      'REQUEST_UNKNOWN',
      `${requestIdText(name)} is not known: it has not been accepted yet, or was never requested, or has been forgotten`,
    )
  }

  /** Of all instances, the oldest first. Throws INSTANCE_UNREACHABLE when the first one does not answer. */
  async inDoubt(): Promise<InDoubtList> {
    const path = '/requests/in-doubt'
    const first = (await this.#ask(path)) as InDoubtAnswer
    const answers = [first]
    const gaps: string[] = []
    for (const address of first.instances) {
      if (address === first.instance) continue
      try {
        const { status, body } = await this.#get(address, path)
        if (status === 200) answers.push(body as InDoubtAnswer)
        else gaps.push(`${address} answers ${status}`)
      } catch (error) {
        gaps.push(describeError(error))
      }
    }
    const parts = answers.reduce((sum, each) => sum + each.parts, 0)
    if (parts !== first.partsOfAll)
      gaps.push(`${parts} of ${first.partsOfAll} parts of the store were asked`)
    if (answers.some(each => each.truncated)) gaps.push('there are more than an instance lists')
    const requests = answers
      .flatMap(each => each.requests)
      .toSorted((a, b) => ((a.at ?? '') < (b.at ?? '') ? -1 : 1))
    return { requests, gaps }
  }

  /** Undefined for what the owner does not know. */
  async #ask(path: string): Promise<unknown> {
    const untilMs = this.#clock.monotonicMs() + rebalanceMaxMs
    for (let address = this.#first; ;) {
      const { status, body } = await this.#get(address, path)
      if (status === 200) return body
      if (status === 404) return undefined
      const owner = status === 307 ? (body as { owner: string }).owner : undefined
      if (this.#clock.monotonicMs() > untilMs) {
        throw new StreamsError(
          'INSTANCE_UNREACHABLE',
          `${address} does not know who can answer: it is still starting, or the instances rebalance, or one runs without --advertised-http`,
        )
      }
      // An owner that has just lost it sends back: not at once again.
      if (owner === undefined || address !== this.#first) await sleep(this.#clock, pollMs)
      address = owner ?? this.#first
    }
  }

  async #get(address: string, path: string): Promise<{ status: number; body: unknown }> {
    try {
      const signal = AbortSignal.timeout(answerMaxMs)
      const response = await fetch(`http://${address}${path}`, { signal, redirect: 'manual' })
      return { status: response.status, body: await response.json() }
    } catch (cause) {
      throw new StreamsError(
        'INSTANCE_UNREACHABLE',
        `no instance of mailonce answers at ${address}: name one that runs with --http HOST:PORT`,
        { cause },
      )
    }
  }
}
