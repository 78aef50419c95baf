import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { startHttpServer, type Health, type HttpServer } from '../../src/cli/http-server.ts'

const servers: HttpServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

async function serve(health: Health): Promise<string> {
  const server = await startHttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    health: () => health,
    metrics: () => 'mailonce_x 1\n',
  })
  servers.push(server)
  return `http://${server.address}`
}

test.each([
  { health: { healthy: true, ready: true, text: 'running' }, healthz: 200, readyz: 200 },
  { health: { healthy: true, ready: false, text: 'restoring' }, healthz: 200, readyz: 503 },
  { health: { healthy: false, ready: true, text: 'stopped' }, healthz: 503, readyz: 503 },
])('$health.text: /healthz $healthz, /readyz $readyz', async ({ health, healthz, readyz }) => {
  const base = await serve(health)

  const [first, second] = [await fetch(`${base}/healthz`), await fetch(`${base}/readyz?verbose`)]

  expect([first.status, second.status]).toEqual([healthz, readyz])
  expect(await second.text()).toBe(`${health.text}\n`)
  await first.text()
})

test('/metrics is Prometheus text', async () => {
  const response = await fetch(`${await serve({ healthy: true, ready: false, text: '' })}/metrics`)

  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(await response.text()).toBe('mailonce_x 1\n')
})

test('anything else is not found, and nothing but reading is allowed', async () => {
  const base = await serve({ healthy: true, ready: true, text: 'running' })

  const [missing, posted, head] = [
    await fetch(`${base}/`),
    await fetch(`${base}/readyz`, { method: 'POST' }),
    await fetch(`${base}/readyz`, { method: 'HEAD' }),
  ]

  expect([missing.status, posted.status, head.status]).toEqual([404, 405, 200])
  for (const response of [missing, posted, head]) await response.text()
})

test('an address that is taken says which flag chooses another', async () => {
  const [, port] = (await serve({ healthy: true, ready: true, text: '' })).split('127.0.0.1:')

  const second = startHttpServer({
    listen: { host: '127.0.0.1', port: Number(port) },
    health: () => ({ healthy: true, ready: true, text: '' }),
    metrics: () => '',
  })

  await expect(second).rejects.toMatchObject({
    code: 'HTTP_ADDRESS_UNUSABLE',
    message: `127.0.0.1:${port} is in use: choose another address with --http HOST:PORT`,
  })
})

test('closing waits neither for idle clients nor for slow ones, and may be done twice', async () => {
  const base = await serve({ healthy: true, ready: true, text: '' })
  await (await fetch(`${base}/healthz`)).text()
  const slow = connect(Number(new URL(base).port), '127.0.0.1')
  slow.on('error', () => undefined)
  await once(slow, 'connect')
  await new Promise(resolve => slow.write('GET /healthz HTTP/1.1\r\n', resolve))
  // One answer after the half request was written: the server has seen both connections.
  await (await fetch(`${base}/healthz`)).text()

  const [server] = servers
  await server?.close()
  await server?.close()

  await expect(fetch(`${base}/healthz`)).rejects.toThrow()
})
