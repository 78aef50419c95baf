import { describe, expect, test } from 'vitest'
import { resolveConfiguration } from '../../src/cli/configuration.ts'
import { shareOfThread } from '../../src/cli/thread-share.ts'

const relays = JSON.stringify({
  main: { url: 'smtp://a:25', connections: 7 },
  spare: { url: 'smtp://b:25' },
})

async function shares(environment: Readonly<Record<string, string>>) {
  const { values } = await resolveConfiguration(new Map(), environment)
  const { threads } = values
  return Array.from({ length: threads }, (_, index) => shareOfThread(values, { index, threads }))
}

describe('what an instance may use is divided among its threads', () => {
  test('connections to the relay', async () => {
    const parts = await shares({ MAILONCE_THREADS: '3', MAILONCE_SMTP_CONNECTIONS: '20' })

    expect(parts.map(each => each.smtpConnections)).toEqual([7, 7, 6])
  })

  test('connections to each of several relays', async () => {
    const parts = await shares({ MAILONCE_THREADS: '2', MAILONCE_RELAYS: relays })

    expect(parts.map(each => each.relays?.get('main')?.connections)).toEqual([4, 3])
    expect(parts.map(each => each.relays?.get('spare')?.connections)).toEqual([10, 10])
  })

  test('open requests, and connections of webhooks', async () => {
    const parts = await shares({
      MAILONCE_THREADS: '2',
      MAILONCE_LIMITS: '{"open-requests": 101, "open-megabytes": 4}',
      MAILONCE_WEBHOOKS: '{"connections": 9, "host-connections": 1}',
    })

    expect(parts.map(each => each.limits.outbox)).toEqual([
      { requests: 51, bytes: 2_000_000 },
      { requests: 50, bytes: 2_000_000 },
    ])
    expect(parts.map(each => each.webhooks.connections)).toEqual([5, 4])
    expect(parts.map(each => each.webhooks.hostConnections)).toEqual([1, 1])
  })
})

test.each([
  [{ MAILONCE_THREADS: '3', MAILONCE_SMTP_CONNECTIONS: '2' }, 'smtp-connections: 2 connections'],
  [{ MAILONCE_THREADS: '8', MAILONCE_RELAYS: relays }, 'relays.main.connections: 7 connections'],
])('fewer connections than threads are refused: %j', async (environment, says) => {
  await expect(resolveConfiguration(new Map(), environment)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining(says),
  })
})
