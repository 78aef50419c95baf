import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSerdes } from '../../src/cli/open-serdes.ts'
import { systemClock } from '../../src/clock.ts'
import { schemaText, schemaTopics, subjectOf } from '../../src/email/schemas.ts'
import { errorCodeOf } from '../../src/errors.ts'

/** Schemas by subject, in the order in which they were registered; every one goes with every other. */
class SmallRegistry {
  readonly subjects = new Map<string, string[]>()
  readonly #server: Server
  isReadOnly = false

  constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [kind = '', first = '', second = ''] = (request.url ?? '')
      .split('?')[0]!
      .split('/')
      .slice(1)
    const body = request.method === 'GET' ? {} : ((await json(request)) as { schema?: string })
    const [status, answer] = this.#answer(request.method ?? '', kind, first, second, body.schema)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #answer(
    method: string,
    kind: string,
    first: string,
    second: string,
    schema = '',
  ): [number, object] {
    const known = this.subjects.get(first)
    const id = [...this.subjects.values()].flat().indexOf(schema) + 1
    if (kind === 'config') {
      if (method === 'PUT' && this.isReadOnly) return [403, {}]
      return [200, { compatibilityLevel: 'FULL_TRANSITIVE', compatibility: 'FULL_TRANSITIVE' }]
    }
    if (kind === 'compatibility') return [200, { is_compatible: true }]
    if (kind === 'schemas')
      return [200, { schema: [...this.subjects.values()].flat()[Number(second) - 1] }]
    if (method === 'GET')
      return known ? [200, known.map((_, index) => index + 1)] : [404, { error_code: 40_401 }]
    if (second === 'versions') {
      if (this.isReadOnly) return [403, {}]
      this.subjects.set(first, [...(known ?? []), schema])
      return [200, { id: [...this.subjects.values()].flat().indexOf(schema) + 1 }]
    }
    if (known === undefined) return [404, { error_code: 40_401 }]
    return known.includes(schema) ? [200, { id, version: 1 }] : [404, { error_code: 40_403 }]
  }
}

let registry: SmallRegistry
let url: string
let folder: string
beforeEach(async () => {
  registry = new SmallRegistry()
  url = await registry.start()
  folder = await mkdtemp(join(tmpdir(), 'mailonce-serdes-'))
})
afterEach(async () => {
  registry.stop()
  await rm(folder, { recursive: true })
})

const open = (): Promise<unknown> =>
  openSerdes({
    registryUrl: url,
    cacheFile: join(folder, 'schemas.json'),
    clock: systemClock,
  }).then(
    () => 'opened',
    (error: unknown) => errorCodeOf(error),
  )
const first = schemaTopics.filter(topic => topic !== 'email.suppressed')

test('a deployment that has the first schemas gets those that are new', async () => {
  for (const topic of first) registry.subjects.set(subjectOf(topic), [schemaText(topic)])

  expect(await open()).toBe('opened')
  expect(registry.subjects.get('email.suppressed-value')).toEqual([schemaText('email.suppressed')])
})

test('a subject with an older version gets the new one as well', async () => {
  for (const topic of first) registry.subjects.set(subjectOf(topic), [schemaText(topic)])
  registry.subjects.set('email.failed-value', ['"string"'])

  expect(await open()).toBe('opened')
  expect(registry.subjects.get('email.failed-value')).toEqual([
    '"string"',
    schemaText('email.failed'),
  ])
})

test('where nothing was registered nobody has set anything up: nothing is registered', async () => {
  expect(await open()).toBe('SCHEMA_MISSING')
  expect(registry.subjects.size).toBe(0)
})

test('whoever may only read is told what to have registered', async () => {
  for (const topic of first) registry.subjects.set(subjectOf(topic), [schemaText(topic)])
  registry.isReadOnly = true

  expect(await open()).toBe('SCHEMA_MISSING')
})
