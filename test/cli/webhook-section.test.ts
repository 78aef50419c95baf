import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { structured } from '../../src/cli/structure.ts'
import { webhookSection, webhookSinkOptions } from '../../src/cli/webhook-section.ts'

const read = (value: unknown) =>
  structured(webhookSection).read!(JSON.stringify(value), 'mailonce.yaml: webhooks')

const secretOf = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`

test('without a section nothing is signed, and the rest is as documented', async () => {
  const section = read({})

  expect(section.retry).toHaveLength(9)
  expect(section.retry.slice(0, 3)).toEqual([5000, 300_000, 1_800_000])
  expect(await webhookSinkOptions(section)).toEqual({
    keys: [],
    timeoutMs: 15_000,
    connectionsMax: 50,
    allowHttp: false,
    allowPrivate: [],
    responseBytesMax: 65_536,
    tls: {},
  })
})

test('keys are given themselves or as files, the current one first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailonce-keys-'))
  const file = join(folder, 'key')
  await writeFile(file, `${secretOf(64)}\n`)

  const { keys } = await webhookSinkOptions(read({ keys: [{ file }, { secret: secretOf(24) }] }))

  await rm(folder, { recursive: true })
  expect(keys).toEqual([Buffer.alloc(64, 7), Buffer.alloc(24, 7)])
})

test('every key of the section reaches the sink', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mailonce-keys-'))
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, 'PEM')
  const section = read({
    keys: [{ secret: secretOf(32) }],
    retry: 'none',
    timeout: '2s',
    connections: 3,
    'host-connections': 2,
    'allow-http': true,
    'allow-private': ['10.0.0.0/8', 'fd00::/8'],
    'response-bytes': 0,
    'ca-file': caFile,
  })

  const options = await webhookSinkOptions(section)

  await rm(folder, { recursive: true })
  expect(options).toEqual({
    keys: [Buffer.alloc(32, 7)],
    timeoutMs: 2000,
    connectionsMax: 3,
    allowHttp: true,
    allowPrivate: ['10.0.0.0/8', 'fd00::/8'],
    responseBytesMax: 0,
    tls: { ca: 'PEM' },
  })
  expect(section).toMatchObject({ retry: [], hostConnections: 2 })
  await expect(webhookSinkOptions({ ...section, caFile })).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining('webhooks.ca-file') as string,
  })
})

test.each([
  { what: 'is too short', key: { secret: secretOf(23) } },
  { what: 'is too long', key: { secret: secretOf(65) } },
  { what: 'is no base64', key: { secret: 'whsec_!' } },
  { what: 'lacks its prefix', key: { secret: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0' } },
  { what: 'is empty', key: {} },
])('a key that $what is refused, named and not shown', async ({ key }) => {
  const options = webhookSinkOptions(read({ keys: [{ secret: secretOf(32) }, key] }))

  await expect(options).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringMatching(/^webhooks\.keys\[1\] .*openssl/) as string,
  })
  await expect(options).rejects.not.toMatchObject({
    message: expect.stringContaining('c2Vj') as string,
  })
})

test.each([
  { section: { 'allow-private': ['10.0.0.0'] }, place: 'allow-private[0]' },
  { section: { timeout: '2h' }, place: 'timeout' },
  { section: { retry: 'often' }, place: 'retry' },
  { section: { secrets: [] }, place: 'secrets' },
])('what is wrong in $place is named', ({ section, place }) => {
  expect(() => read(section)).toThrow(
    expect.objectContaining({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining(`mailonce.yaml: webhooks.${place}`) as string,
    }) as Error,
  )
})
