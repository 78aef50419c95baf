import { afterEach, expect, test } from 'vitest'
import { startHttpServer, type HttpServer } from '../../src/cli/http-server.ts'
import { InstanceClient } from '../../src/cli/instance-client.ts'
import type { InDoubtAnswer, QueryAnswer } from '../../src/cli/request-queries.ts'
import { statusOfEnd } from '../../src/cli/request-status.ts'
import type { Clock } from '../../src/clock.ts'
import { identityOf } from '../../src/email/identity.ts'

const name = { source: 'shop', requestId: 'r-1' }
const unknown: QueryAnswer = { status: 404, body: { error: 'not known' } }
const owner = (http: string): QueryAnswer => ({
  status: 307,
  body: { owner: http },
  location: `http://${http}/`,
})

/** Waits for nothing: time passes as it is waited for. */
class SkippingClock implements Clock {
  #nowMs = 0
  nowMs = (): number => this.#nowMs
  monotonicMs = (): number => this.#nowMs

  schedule(delayMs: number, callback: () => void): () => void {
    this.#nowMs += delayMs
    setImmediate(callback)
    return () => undefined
  }
}

const servers: HttpServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

/** An instance that answers so; what it was asked for stands in `asked`. */
async function instance(
  answer: (path: string) => QueryAnswer,
): Promise<{ readonly address: string; readonly asked: string[] }> {
  const asked: string[] = []
  const server = await startHttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => ({ healthy: true, ready: true, text: '' }),
    metrics: () => '',
    query: async path => {
      asked.push(path)
      return answer(path)
    },
  })
  servers.push(server)
  return { address: server.address, asked }
}

function clientOf({ address }: { readonly address: string }): InstanceClient {
  const [host = '', port] = address.split(':')
  return new InstanceClient({ host, port: Number(port) }, new SkippingClock())
}

function statusAt(atMs: number, requestId = 'r-1') {
  const end = { words: 'IN_DOUBT', messageId: null, requestedAtMs: 0, atMs }
  return statusOfEnd(identityOf({ source: 'shop', requestId }), end)
}

test('an instance that does not own the request sends to the one that does', async () => {
  const there = await instance(() => ({ status: 200, body: statusAt(1) }))
  const here = await instance(() => owner(there.address))

  expect(await clientOf(here).status(name)).toEqual(statusAt(1))
  expect(here.asked).toEqual(['/requests/shop/r-1'])
  expect(there.asked).toEqual(['/requests/shop/r-1'])
})

test('what the outbox does not know may be known by its end', async () => {
  const here = await instance(path =>
    path.endsWith('/end') ? { status: 200, body: statusAt(1) } : unknown,
  )

  expect(await clientOf(here).status(name)).toEqual(statusAt(1))
})

test('what nobody knows is said to be unknown', async () => {
  const here = await instance(() => unknown)

  await expect(clientOf(here).status(name)).rejects.toMatchObject({ code: 'REQUEST_UNKNOWN' })
})

test('while nobody is known to own it it is asked again, for as long as a rebalance takes', async () => {
  const answer: QueryAnswer = { status: 503, body: {} }
  const passing = await instance(() =>
    passing.asked.length < 5 ? answer : { status: 200, body: statusAt(1) },
  )
  const lasting = await instance(() => answer)

  expect(await clientOf(passing).status(name)).toEqual(statusAt(1))
  await expect(clientOf(lasting).status(name)).rejects.toMatchObject({
    code: 'INSTANCE_UNREACHABLE',
  })
  expect(lasting.asked.length).toBeGreaterThan(5)
})

test('two instances that send to each other are not asked for ever', async () => {
  const second = await instance(() => owner(first.address))
  const first: { address: string } = await instance(() => owner(second.address))

  await expect(clientOf(first).status(name)).rejects.toMatchObject({
    code: 'INSTANCE_UNREACHABLE',
  })
})

test('an address at which nobody answers is named, with the flag that names another', async () => {
  const gone = await instance(() => unknown)
  await servers.pop()?.close()

  await expect(clientOf(gone).status(name)).rejects.toMatchObject({
    code: 'INSTANCE_UNREACHABLE',
    message: expect.stringMatching(`${gone.address}.*--http`) as string,
  })
})

test('what answers without JSON is no instance', async () => {
  const here = await instance(() => ({ status: 200, body: undefined }))

  await expect(clientOf(here).status(name)).rejects.toMatchObject({
    code: 'INSTANCE_UNREACHABLE',
  })
})

/** Lists of instances that know each other; each has two of `partsOfAll` parts. */
async function lists(
  partsOfAll: number,
  ...requests: readonly InDoubtAnswer['requests'][]
): Promise<readonly { readonly address: string; readonly asked: string[] }[]> {
  const all: { readonly address: string; readonly asked: string[] }[] = []
  for (const [index, each] of requests.entries())
    all.push(
      await instance(() => ({
        status: 200,
        body: {
          requests: each,
          truncated: false,
          parts: 2,
          partsOfAll,
          instance: all[index]!.address,
          instances: all.map(({ address }) => address),
        } satisfies InDoubtAnswer,
      })),
    )
  return all
}

test('the list is that of all instances, each asked once, the oldest first', async () => {
  const all = await lists(6, [statusAt(5, 'b')], [statusAt(9, 'c'), statusAt(1, 'a')], [])

  const { requests, gaps } = await clientOf(all[1]!).inDoubt()

  expect(requests.map(each => each.requestId)).toEqual(['a', 'b', 'c'])
  expect(gaps).toEqual([])
  expect(all.map(({ asked }) => asked.length)).toEqual([1, 1, 1])
})

test('a list that lacks an instance, or a part of the store, says so', async () => {
  const all = await lists(6, [statusAt(5)], [], [])
  await servers.pop()?.close()

  const { requests, gaps } = await clientOf(all[0]!).inDoubt()

  expect(requests).toHaveLength(1)
  expect(gaps).toEqual([
    expect.stringContaining(all[2]!.address),
    '4 of 6 parts of the store were asked',
  ])
})
