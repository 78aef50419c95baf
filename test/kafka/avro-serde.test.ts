import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createAvroSerde } from '../../src/kafka/avro-serde.ts'
import { SchemaRegistry } from '../../src/kafka/registry.ts'
import type { Serde } from '../../src/serde.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

interface Mail {
  readonly id: string
  readonly priority: string
  readonly note: string | null
  readonly content: Buffer
  readonly atMs: number
  readonly tags: readonly string[]
}

const mail: Mail = {
  id: 'm-1',
  priority: 'HIGH',
  note: 'plain, not wrapped',
  content: Buffer.from([0, 255]),
  atMs: 1_700_000_000_000,
  tags: ['a', 'b'],
}

const fields = [
  { name: 'id', type: 'string' },
  { name: 'note', type: ['null', 'string'], default: null },
  { name: 'content', type: 'bytes' },
  { name: 'atMs', type: { type: 'long', logicalType: 'timestamp-millis' } },
  { name: 'tags', type: { type: 'array', items: 'string' }, default: [] },
]

function schemaWith(symbols: readonly string[], more: readonly object[] = []): string {
  const priority = { type: 'enum', name: 'Priority', symbols, default: 'NORMAL' }
  const all = [...fields, { name: 'priority', type: priority, default: 'NORMAL' }, ...more]
  return JSON.stringify({ type: 'record', name: 'Mail', namespace: 'email', fields: all })
}

const ourSchema = schemaWith(['HIGH', 'NORMAL'])
const newerSchema = schemaWith(
  ['HIGH', 'NORMAL', 'BULK'],
  [{ name: 'later', type: { type: 'map', values: 'string' }, default: {} }],
)

let subject: string
let cacheFile: string
let subjects = 0

beforeEach(async () => {
  subjects += 1
  subject = `serde-test-${process.pid}-${subjects}-value`
  cacheFile = join(await mkdtemp(join(tmpdir(), 'serde-')), 'schemas.json')
})

function openRegistry(url = inject('schemaRegistryUrl')): Promise<SchemaRegistry> {
  return SchemaRegistry.open({ url, clock: systemClock, cacheFile, timeoutMs: 2000 })
}

/** A serde whose schema is registered under the subject of this test. */
async function registeredSerde<T>(schemaText = ourSchema): Promise<Serde<T>> {
  const registry = await openRegistry()
  await registry.register(subject, schemaText)
  return createAvroSerde<T>({ registry, subject, schemaText })
}

describe('values in the wire format', () => {
  test('come back as they went in: plain unions, times as numbers, bytes as buffers', async () => {
    const serde = await registeredSerde<Mail>()

    const bytes = serde.serialize(mail)

    expect(bytes[0]).toBe(0)
    expect(serde.isReady(bytes)).toBe(true)
    expect(serde.deserialize(bytes)).toEqual(mail)
  })

  test('larger than the first scratch buffer are written whole', async () => {
    const serde = await registeredSerde<Mail>()
    const large = { ...mail, content: Buffer.alloc(300_000, 7) }

    expect(serde.deserialize(serde.serialize(large))).toEqual(large)
    expect(serde.deserialize(serde.serialize(mail))).toEqual(mail)
  })

  test('of a newer writer are read as ours: new fields left out, new symbols as the default', async () => {
    const ours = await registeredSerde<Mail>()
    const newer = await registeredSerde<Mail & { later: Record<string, string> }>(newerSchema)
    const bytes = newer.serialize({ ...mail, priority: 'BULK', later: { x: 'y' } })

    expect(ours.isReady(bytes)).toBe(false)
    await ours.prepare(bytes)

    expect(ours.isReady(bytes)).toBe(true)
    expect(ours.deserialize(bytes)).toEqual({ ...mail, priority: 'NORMAL' })
  })

  test('of an older writer get the defaults of what it did not know', async () => {
    const newer = await registeredSerde<Mail>(newerSchema)
    const older = await createAvroSerde<Mail>({
      registry: await openRegistry(),
      subject,
      schemaText: newerSchema,
    })
    const ours = await registeredSerde<Mail>()
    const bytes = ours.serialize(mail)
    await newer.prepare(bytes)
    await older.prepare(bytes)

    expect(newer.deserialize(bytes)).toEqual({ ...mail, later: {} })
    expect(older.deserialize(bytes)).toEqual({ ...mail, later: {} })
  })
})

describe('bytes that are no value', () => {
  /** The header of our schema, then these bytes. */
  const afterHeader = (serde: Serde<Mail>, ...bytes: number[]): Buffer =>
    Buffer.concat([serde.serialize(mail).subarray(0, 5), Buffer.from(bytes)])
  const long = (value: bigint): number[] => {
    const bytes: number[] = []
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    return [...bytes, Number(rest)]
  }

  test.each([
    { what: 'none', make: () => Buffer.alloc(0) },
    { what: 'fewer than the header', make: () => Buffer.from([0, 0, 0]) },
    { what: 'another magic byte', make: () => Buffer.from([1, 0, 0, 0, 1, 2]) },
    {
      what: 'an end too early',
      make: (serde: Serde<Mail>) => serde.serialize(mail).subarray(0, -1),
    },
    {
      what: 'an end too late',
      make: (serde: Serde<Mail>) => Buffer.concat([serde.serialize(mail), Buffer.from([0])]),
    },
    {
      what: 'a time beyond 2^53',
      make: (serde: Serde<Mail>) => afterHeader(serde, 0, 0, 0, ...long(2n ** 60n), 0, 0),
    },
    {
      what: 'a count of a thousand million items',
      make: (serde: Serde<Mail>) => afterHeader(serde, 0, 0, 0, 0, ...long(10n ** 9n), 0, 0),
    },
    {
      what: 'a negative count with a block size, beyond the bytes',
      make: (serde: Serde<Mail>) => afterHeader(serde, 0, 0, 0, 0, ...long(-(10n ** 9n)), 2, 0, 0),
    },
  ])('are undecodable: $what', async ({ make }) => {
    const serde = await registeredSerde<Mail>()
    const bytes = make(serde)

    expect(serde.isReady(bytes)).toBe(true)
    expect(() => serde.deserialize(bytes)).toThrow(
      expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
    )
  })

  test('of a schema that is not ours at all are undecodable', async () => {
    const serde = await registeredSerde<Mail>()
    const registry = await openRegistry()
    const otherId = await registry.register(
      `${subject}-other`,
      '{"type":"record","name":"Other","fields":[]}',
    )
    const bytes = Buffer.from([0, 0, 0, 0, 0])
    bytes.writeUInt32BE(otherId, 1)
    await serde.prepare(bytes)

    expect(() => serde.deserialize(bytes)).toThrow(
      expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
    )
  })

  test('an array in a field of the writer alone cannot make us skip for ever', async () => {
    const serde = await registeredSerde<Mail>()
    const newer = await registeredSerde<Mail & { later: object }>(newerSchema)
    const whole = newer.serialize({ ...mail, later: {} })
    const bytes = Buffer.concat([
      whole.subarray(0, -1),
      Buffer.from(long(10n ** 12n)),
      Buffer.from([0]),
    ])
    await serde.prepare(bytes)

    expect(() => serde.deserialize(bytes)).toThrow(
      expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
    )
  })
})

describe('without a registry that answers', () => {
  test('a restart writes and reads what the cache file knows', async () => {
    const newer = await registeredSerde<Mail & { later: object }>(newerSchema)
    const before = await registeredSerde<Mail>()
    const bytes = newer.serialize({ ...mail, later: {} })
    await before.prepare(bytes)
    const url = inject('schemaRegistryUrl')
    const gone = 'http://127.0.0.1:1'
    await writeFile(cacheFile, (await readFile(cacheFile, 'utf8')).replaceAll(url, gone))

    const registry = await openRegistry(gone)
    const after = await createAvroSerde<Mail>({ registry, subject, schemaText: ourSchema })

    expect(after.isReady(bytes)).toBe(true)
    expect(after.deserialize(bytes)).toEqual(mail)
    expect(after.serialize(mail)).toEqual(before.serialize(mail))
  })

  test('a start without a cache says so, and the ids of another registry are not taken for its own', async () => {
    await registeredSerde<Mail>()

    const elsewhere = await openRegistry('http://127.0.0.1:1')

    await expect(
      createAvroSerde<Mail>({ registry: elsewhere, subject, schemaText: ourSchema }),
    ).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' })
  })

  test('a damaged cache file is an empty one', async () => {
    await writeFile(cacheFile, '{"registry":')

    const serde = await registeredSerde<Mail>()

    expect(serde.deserialize(serde.serialize(mail))).toEqual(mail)
  })
})

describe('our own schema', () => {
  test('that nobody registered is missing, and the message says what to do', async () => {
    const registry = await openRegistry()

    await expect(
      createAvroSerde<Mail>({ registry, subject, schemaText: ourSchema }),
    ).rejects.toMatchObject({
      code: 'SCHEMA_MISSING',
      message: expect.stringContaining('mailonce schemas register') as string,
    })
  })

  test('is registered under a rule that protects readers and writers of every age', async () => {
    const registry = await openRegistry()

    const missing = await registry.check(subject, ourSchema)
    const first = await registry.register(subject, ourSchema)
    const again = await registry.register(subject, ourSchema)
    const same = await registry.check(subject, ourSchema)
    const compatible = await registry.check(subject, newerSchema)
    const withoutDefault = schemaWith(['HIGH', 'NORMAL'], [{ name: 'must', type: 'string' }])
    const incompatible = await registry.check(subject, withoutDefault)

    expect(missing.result).toBe('missing')
    expect(again).toBe(first)
    expect(same).toMatchObject({ result: 'registered', compatibility: 'FULL_TRANSITIVE' })
    expect(compatible.result).toBe('compatible')
    expect(incompatible.result).toBe('incompatible')
    await expect(registry.register(subject, withoutDefault)).rejects.toMatchObject({
      code: 'SCHEMA_INCOMPATIBLE',
    })
  })
})

describe('an id that the registry does not know', () => {
  let server: Server
  let answers: { status: number; body: string }[]
  let asked: number
  let url: string
  const notThere = { status: 404, body: '{"error_code":40403,"message":"Schema not found"}' }

  beforeEach(async () => {
    asked = 0
    server = createServer((request, response) => {
      if (request.method === 'POST') return response.end('{"id":1}')
      asked += 1
      const { status, body } = answers.shift() ?? notThere
      response.statusCode = status
      return response.end(body)
    })
    await new Promise<void>(resolve => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as { port: number }
    url = `http://127.0.0.1:${port}`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  const bytes = Buffer.from([0, 0, 0, 0, 99, 0])

  /** Lets real answers arrive and the manual clock go on until the promise settles. */
  async function settle(clock: ManualClock, promise: Promise<unknown>): Promise<void> {
    let settled = false
    const end = (): void => void (settled = true)
    promise.then(end, end)
    await expect
      .poll(
        () => {
          if (asked > 0 && answers.length === 0) clock.advance(500)
          return settled
        },
        { interval: 5 },
      )
      .toBe(true)
  }

  test('is undecodable after the second 404 with the code for it, five seconds later', async () => {
    answers = [notThere]
    const clock = new ManualClock()
    const registry = await SchemaRegistry.open({ url, clock, cacheFile, timeoutMs: 60_000 })
    const serde = await createAvroSerde<Mail>({ registry, subject, schemaText: ourSchema })
    const startMs = clock.monotonicMs()

    const prepared = serde.prepare(bytes)
    await settle(clock, prepared)
    await prepared

    expect(asked).toBe(2)
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(5000)
    expect(() => serde.deserialize(bytes)).toThrow(
      expect.objectContaining({ code: 'RECORD_UNDECODABLE' }),
    )
    clock.advance(60_000)
    expect(serde.isReady(bytes)).toBe(false)
  })

  test.each([
    { what: '404 of a proxy', status: 404, body: '<html>not found</html>' },
    { what: '404 with another code', status: 404, body: '{"error_code":404,"message":"HTTP 404"}' },
    { what: '401', status: 401, body: '{"error_code":40101,"message":"Unauthorized"}' },
    { what: '500', status: 500, body: '{"error_code":50001,"message":"backend store"}' },
    { what: '429', status: 429, body: '{"error_code":42901,"message":"slow down"}' },
  ])('is not taken for unknown on $what: ask again later', async ({ status, body }) => {
    answers = [{ status, body }]
    const registry = await openRegistry(url)
    const serde = await createAvroSerde<Mail>({ registry, subject, schemaText: ourSchema })

    await expect(serde.prepare(bytes)).rejects.toMatchObject({ code: 'REGISTRY_UNAVAILABLE' })

    expect(serde.isReady(bytes)).toBe(false)
    answers = [{ status: 200, body: JSON.stringify({ schema: newerSchema }) }]
    await serde.prepare(bytes)
    expect(serde.isReady(bytes)).toBe(true)
  })

  test('is asked for once, however many records wait', async () => {
    answers = [{ status: 200, body: JSON.stringify({ schema: newerSchema }) }]
    const registry = await openRegistry(url)
    const serde = await createAvroSerde<Mail>({ registry, subject, schemaText: ourSchema })

    await Promise.all([serde.prepare(bytes), serde.prepare(bytes), serde.prepare(bytes)])

    expect(asked).toBe(1)
  })
})
