import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MailonceProcess } from './mailonce-process.ts'
import { RegistryStandIn } from './registry-stand-in.ts'

// Processes of their own start slowly where others are busy.
vi.setConfig({ testTimeout: 60_000 })

let stateDir = ''
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'mailonce-run-'))
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

/** A port of this machine on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function run(
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>> = {},
): Promise<MailonceProcess> {
  const nobody = `127.0.0.1:${await closedPort()}`
  const all = {
    kafka: nobody,
    'schema-registry': `http://${nobody}`,
    smtp: `smtp://${nobody}`,
    http: '127.0.0.1:0',
    'state-dir': stateDir,
    ...flags,
  }
  return new MailonceProcess(
    ['run', ...Object.entries(all).map(([name, value]) => `--${name}=${value}`)],
    environment,
  )
}

async function probes(
  process: MailonceProcess,
): Promise<{ healthz: number; readyz: number; text: string }> {
  const { address } = await process.event('http')
  const readyz = await fetch(`http://${String(address)}/readyz`)
  const healthz = await fetch(`http://${String(address)}/healthz`)
  await healthz.text()
  return { healthz: healthz.status, readyz: readyz.status, text: await readyz.text() }
}

test.each(['1', '2'])(
  'waits for a registry that is away, healthy and unready, and names it: %s threads',
  async threads => {
    const registry = `http://127.0.0.1:${await closedPort()}`
    await using process = await run({ 'schema-registry': registry, threads })

    const { msg } = await process.event('registry-unreachable')
    let probed = await probes(process)
    while (!probed.text.includes(registry)) probed = await probes(process)
    process.signal('SIGTERM')

    expect(msg).toContain(registry)
    expect(probed).toMatchObject({ healthz: 200, readyz: 503 })
    expect(await process.exitCode()).toBe(0)
  },
)

test('waits for brokers that are away, healthy and unready, and names them', async () => {
  await using registry = await RegistryStandIn.start('everything')
  const kafka = `127.0.0.1:${await closedPort()}`
  await using process = await run({ kafka, 'schema-registry': registry.url })

  const { kafka: named } = await process.event('starting')
  const { healthz, readyz } = await probes(process)
  process.signal('SIGINT')

  expect(named).toEqual([kafka])
  expect({ healthz, readyz }).toEqual({ healthz: 200, readyz: 503 })
  expect(await process.exitCode()).toBe(0)
})

test('tells of a relay that is away before the first mail needs it', async () => {
  const relay = `127.0.0.1:${await closedPort()}`
  await using process = await run({ smtp: `smtp://${relay}` })

  const { msg } = await process.event('relay-unreachable')

  expect(msg).toContain(relay)
})

test('stops at once while it asks brokers that are away', async () => {
  await using registry = await RegistryStandIn.start('everything')
  await using process = await run({ 'schema-registry': registry.url, 'shutdown-timeout': '5s' })
  let text = ''
  while (!text.includes('joining the group')) ({ text } = await probes(process))
  process.signal('SIGINT')

  expect(await process.exitCode()).toBe(0)
  expect(process.stderr).toBe('')
})

test('tells of brokers that are away at once', async () => {
  const kafka = `127.0.0.1:${await closedPort()}`
  await using process = await run({ kafka })

  const { msg } = await process.event('broker-unreachable')

  expect(msg).toContain(`no connection to the brokers ${kafka}`)
})

test.each(['1', '2'])(
  'ends with one line that names the command when a schema is not registered: %s threads',
  async threads => {
    await using registry = await RegistryStandIn.start('nothing')
    await using process = await run({ 'schema-registry': registry.url, threads })

    expect(await process.exitCode()).toBe(1)
    expect(process.stderr).toMatch(
      /^mailonce: SCHEMA_MISSING: [^\n]*mailonce schemas register[^\n]*\n$/,
    )
  },
)

test('ends with one line when the address of the probes is taken', async () => {
  await using other = await RegistryStandIn.start('nothing')
  await using process = await run({ http: `127.0.0.1:${other.port}` })

  expect(await process.exitCode()).toBe(1)
  expect(process.stderr).toMatch(/^mailonce: HTTP_ADDRESS_UNUSABLE: [^\n]*--http[^\n]*\n$/)
})

test('two processes do not share a state directory', async () => {
  await using first = await run({})
  await first.event('starting')
  await using second = await run({})

  expect(await second.exitCode()).toBe(1)
  expect(second.stderr).toMatch(/^mailonce: STATE_LOCKED: [^\n]*--state-dir[^\n]*\n$/)
})

test('the instance id survives a restart', async () => {
  const ids: unknown[] = []
  for (let life = 0; life < 2; life += 1) {
    await using process = await run({})
    ids.push((await process.event('starting'))['instanceId'])
    process.signal('SIGTERM')
    await process.exitCode()
  }

  expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
  expect(ids[1]).toBe(ids[0])
})

test('no password is in any output', async () => {
  const password = 'hunter2-hunter2'
  const nobody = `127.0.0.1:${await closedPort()}`
  await using process = await run(
    {
      smtp: `smtps://user:${password}@${nobody}`,
      'schema-registry': `http://user:${password}@${nobody}`,
      'log-level': 'trace',
    },
    {
      MAILONCE_KAFKA_SASL_MECHANISM: 'PLAIN',
      MAILONCE_KAFKA_SASL_USERNAME: 'me',
      MAILONCE_KAFKA_SASL_PASSWORD: password,
    },
  )

  await process.event('relay-unreachable')
  await process.event('registry-unreachable')
  process.signal('SIGTERM')
  await process.exitCode()

  expect(process.stdout + process.stderr).not.toContain(password)
  expect(process.stdout).toContain(nobody)
})

test('a dry run and a redirection are shown at the start, and where it is asked how it does', async () => {
  await using process = await run({ 'dry-run': 'true', 'redirect-to': 'team@example.org' })

  const { msg } = await process.event('staging')
  const { text } = await probes(process)

  const shown = 'DRY RUN: no mail is sent, and every mail goes to team@example.org'
  expect(msg).toBe(shown)
  expect(text).toContain(shown)
})
