import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { beforeEach, expect, onTestFinished, test } from 'vitest'

import { DownloadCache } from '../../src/dev/download-cache.ts'
import { seededRandom } from '../../src/random.ts'

let directory: string
let cache: DownloadCache

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  cache = new DownloadCache(directory, seededRandom(1))
})

const fillWith = (content: string) => (into: string) => writeFile(join(into, 'part'), content)

test('what is there is not fetched again', async () => {
  let fetched = 0
  const fill = async (into: string) => {
    fetched += 1
    await fillWith('first')(into)
  }

  const first = await cache.directory('kafka', fill)
  const second = await cache.directory('kafka', fill)

  expect(second).toBe(first)
  expect(fetched).toBe(1)
})

test('a download that fails leaves nothing, and the next one starts anew', async () => {
  const broken = cache.directory('kafka', async into => {
    await fillWith('half')(into)
    throw new Error('no network')
  })

  await expect(broken).rejects.toThrow('no network')
  expect(await readdir(directory)).toEqual([])
  expect(
    await readFile(join(await cache.directory('kafka', fillWith('whole')), 'part'), 'utf8'),
  ).toBe('whole')
})

test('half a download is never seen under the name', async () => {
  const filled = await cache.directory('kafka', async into => {
    await fillWith('half')(into)
    expect(await cache.has('kafka')).toBe(false)
    await fillWith('whole')(into)
  })

  expect(await cache.has('kafka')).toBe(true)
  expect(await readFile(join(filled, 'part'), 'utf8')).toBe('whole')
})

test('two downloads at once end in one, whole', async () => {
  const both = Promise.withResolvers<void>()
  const fill = (content: string) => async (into: string) => {
    await fillWith(content)(into)
    if (content === 'b') both.resolve()
    await both.promise
  }

  const [first, second] = await Promise.all([
    cache.directory('kafka', fill('a')),
    cache.directory('kafka', fill('b')),
  ])

  expect(first).toBe(second)
  expect(await readdir(directory)).toEqual(['kafka'])
})
