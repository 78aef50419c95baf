import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

import { Admin, apiVersionsV4, Connection } from '@platformatic/kafka'
import { expect, onTestFinished, test, vi } from 'vitest'

import { DevEnvironment } from '../../src/dev/dev-environment.ts'

/** Command lines of live processes that mention the text; Linux only, as the rest of these tests. */
async function processesNaming(text: string): Promise<string[]> {
  const ids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  const lines = await Promise.all(
    ids.map(id => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.map(line => line.replaceAll('\0', ' ')).filter(line => line.includes(text))
}

async function brokersSeen(bootstrapServers: string): Promise<number> {
  const admin = new Admin({
    clientId: 'dev-environment-test',
    bootstrapBrokers: bootstrapServers.split(','),
  })
  try {
    return (await admin.metadata({ topics: [] })).brokers.size
  } finally {
    await admin.close()
  }
}

function refusesConnections(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(port, '127.0.0.1', () => resolve(false))
    socket.once('error', () => resolve(true))
    socket.once('connect', () => socket.destroy())
  })
}

const portOf = (bootstrapServers: string): number => Number(bootstrapServers.split(':')[1])

test('a real broker, a registry and an inbox answer, and nothing is left after the stop', async () => {
  const progress: string[] = []
  const environment = await DevEnvironment.start({
    environment: process.env,
    onProgress: text => progress.push(text),
  })
  const { directory } = environment
  await using _ = environment

  expect(await brokersSeen(environment.kafka.bootstrapServers())).toBe(1)
  const unknown = await fetch(`${environment.registryUrl}/schemas/ids/4711`)
  expect(unknown.status).toBe(404)
  expect(await unknown.json()).toMatchObject({ error_code: 40403 })
  expect(progress.at(-1)).toMatch(/is up after \d/)

  await environment[Symbol.asyncDispose]()

  expect(await processesNaming(directory)).toEqual([])
  expect(existsSync(directory)).toBe(false)
  expect(await refusesConnections(portOf(environment.kafka.bootstrapServers()))).toBe(true)
})

test('a broker that was killed comes back on its port with its data', async () => {
  await using environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
  })
  const servers = environment.kafka.bootstrapServers()
  const admin = new Admin({ clientId: 'dev-environment-test', bootstrapBrokers: [servers] })
  await admin.createTopics({ topics: ['kept'], partitions: 2, replicas: 1 })
  await admin.close()

  await environment.kafka.killBroker(1)
  expect(await refusesConnections(portOf(servers))).toBe(true)
  await environment.kafka.startBroker(1)

  const again = new Admin({ clientId: 'dev-environment-test', bootstrapBrokers: [servers] })
  expect(await again.listTopics()).toContain('kept')
  await again.close()
})

test('three brokers form one cluster', async () => {
  await using environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: { brokers: 3, heapMb: 256 },
  })

  expect(await brokersSeen(environment.kafka.bootstrapServers())).toBe(3)
})

test('more listeners, users and another transaction version can be asked for', async () => {
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  await using environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: {
      listeners: ['SASL_PLAINTEXT'],
      properties: () => ({
        'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
        'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': login,
      }),
      formatArguments: [
        '--feature',
        'transaction.version=1',
        '--add-scram',
        'SCRAM-SHA-512=[name=ann,password=secret]',
      ],
    },
  })
  const servers = environment.kafka.bootstrapServers('SASL_PLAINTEXT')
  const sasl = { mechanism: 'SCRAM-SHA-512', username: 'ann', password: 'secret' } as const
  const connection = new Connection('dev-environment-test', { sasl })
  onTestFinished(() => connection.close())

  await connection.connect('127.0.0.1', portOf(servers))
  const { finalizedFeatures } = await apiVersionsV4.api.async(connection, 'test', '1')

  expect(finalizedFeatures).toContainEqual(
    expect.objectContaining({ name: 'transaction.version', maxVersionLevel: 1 }),
  )
})

test('a broker that refuses its configuration is named, with what it said, and nothing is left', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
  vi.stubEnv('TMPDIR', temporary)
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await rm(temporary, { recursive: true })
  })

  const start = DevEnvironment.start({
    environment: process.env,
    source: 'maven',
    kafka: { properties: () => ({ 'broker.heartbeat.interval.ms': 'never' }) },
  })

  await expect(start).rejects.toMatchObject({
    code: 'ENVIRONMENT_FAILED',
    message: expect.stringContaining('broker.heartbeat.interval.ms'),
  })
  expect(await processesNaming(temporary)).toEqual([])
  expect(await readdir(temporary)).toEqual([])
})

test('when the owner is killed with SIGKILL its servers and its directory go too', async () => {
  const owner = spawn(process.execPath, ['test/dev/environment-owner.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [directory] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string]
  expect((await processesNaming(directory)).length).toBeGreaterThan(1)
  const guardians = await processesNaming(`mailonce-guardian ${directory}`)
  expect(guardians).toHaveLength(1)

  owner.kill('SIGKILL')

  await expect.poll(() => processesNaming(directory), { timeout: 30_000 }).toEqual([])
  await expect.poll(() => existsSync(directory), { timeout: 30_000 }).toBe(false)
})
