import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { cacheDirectory, findContainerEngine } from '../../src/dev/machine-parts.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

test('a machine without Java is told so in one line before anything is fetched or started', async () => {
  vi.stubEnv('PATH', directory)
  onTestFinished(() => void vi.unstubAllEnvs())
  const environment = { DOCKER_HOST: `unix://${directory}/nobody.sock`, XDG_CACHE_HOME: directory }

  const start = DevEnvironment.start({ environment })

  await expect(start).rejects.toMatchObject({
    code: 'ENVIRONMENT_MISSING',
    message: expect.stringMatching(
      /^the embedded environment needs Java 17 or newer[^\n]+ and Maven[^\n]+$/,
    ),
  })
  expect(await readdir(directory)).toEqual([])
})

describe('a container engine', () => {
  test.each([
    { rule: 'that answers counts', status: 200, found: true },
    { rule: 'that is ill does not count', status: 500, found: false },
  ])('$rule', async ({ status, found }) => {
    const socket = join(directory, 'engine.sock')
    const engine = createServer((request, response) => {
      response.statusCode = request.url === '/_ping' ? status : 404
      response.end()
    })
    await new Promise<void>(resolve => engine.listen(socket, resolve))
    onTestFinished(() => void engine.close())

    expect(await findContainerEngine({ DOCKER_HOST: `unix://${socket}` }, systemClock)).toBe(found)
  })

  test('that accepts and says nothing does not count, after a second', async () => {
    const socket = join(directory, 'engine.sock')
    const engine = createServer(() => undefined)
    await new Promise<void>(resolve => engine.listen(socket, resolve))
    onTestFinished(() => void engine.close())
    const delays: number[] = []
    const clock = {
      ...systemClock,
      schedule: (delayMs: number, callback: () => void) => {
        delays.push(delayMs)
        queueMicrotask(callback)
        return () => undefined
      },
    }

    expect(await findContainerEngine({ DOCKER_HOST: `unix://${socket}` }, clock)).toBe(false)
    expect(delays).toEqual([1000])
  })

  test('on another machine does not count', async () => {
    expect(await findContainerEngine({ DOCKER_HOST: 'tcp://127.0.0.1:1' }, systemClock)).toBe(false)
  })
})

test.each([
  { environment: { XDG_CACHE_HOME: '/var/cache/me' }, at: /^\/var\/cache\/me\/mailonce$/ },
  { environment: { XDG_CACHE_HOME: '' }, at: /\/\.cache\/mailonce$/ },
  { environment: {}, at: /\/\.cache\/mailonce$/ },
])('downloads are kept at $at', ({ environment, at }) => {
  expect(cacheDirectory(environment)).toMatch(at)
})
