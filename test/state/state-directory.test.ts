import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { afterEach, describe, expect, test } from 'vitest'

import { type Clock, systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { utf8Serde } from '../../src/serde.ts'
import { RocksdbDatabase } from '../../src/state/rocksdb-database.ts'
import { joinStateDirectory, openStateDirectory } from '../../src/state/state-directory.ts'
import { StoreLocks } from '../../src/state/store-locks.ts'
import type { StateDirectory, StoreDefinition } from '../../src/state/store.ts'
import { temporaryDirectories } from './temporary-directory.ts'

const makeDirectory = temporaryDirectories()
const store: StoreDefinition<string> = {
  name: 'dedup',
  kind: 'rocksdb',
  value: utf8Serde,
  changelogConfigs: {},
}
const position = { topicId: 't', offset: 3 }
const writes = [{ key: 'a', value: Buffer.from('1') }]

const opened: StateDirectory[] = []
const children: ChildProcess[] = []
afterEach(async () => {
  for (const directory of opened.splice(0)) await directory.close()
  for (const child of children.splice(0)) await killed(child)
})

async function openIn(path: string, applicationId = 'mail'): Promise<StateDirectory> {
  const directory = await openStateDirectory({ path, applicationId, log: silentLogger })
  opened.push(directory)
  return directory
}

/** Another process that owns the directory, or says why it does not. */
async function ownerProcess(path: string): Promise<{ child: ChildProcess; said: unknown }> {
  const child = fork(new URL('./state-owner.ts', import.meta.url), [path, 'mail'])
  children.push(child)
  const [said] = (await once(child, 'message')) as unknown[]
  return { child, said }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

describe('threads of one process', () => {
  async function joined(path: string, clock: Clock = systemClock): Promise<StateDirectory> {
    const directory = await joinStateDirectory({
      path,
      applicationId: 'mail',
      log: silentLogger,
      clock,
    })
    opened.push(directory)
    return directory
  }

  test('a store that one gives up is opened by another as it is', async () => {
    const path = await makeDirectory()
    await openIn(path)
    const [loser, taker] = [await joined(path), await joined(path)]
    const before = await loser.open('dedup_0', store)
    await before.apply(writes, position)

    const taken = taker.open('dedup_0', store)
    await before.close()

    expect(await (await taken).getMany(['a'])).toEqual([Buffer.from('1')])
    expect(await (await taken).position()).toEqual(position)
  })

  test('who does not get it in a second is told to come again', async () => {
    const path = await makeDirectory()
    await openIn(path)
    let nowMs = 0
    const clock: Clock = {
      ...systemClock,
      monotonicMs: () => (nowMs += 300),
    }
    const [holder, other] = [await joined(path), await joined(path, clock)]
    await holder.open('dedup_0', store)

    await expect(other.open('dedup_0', store)).rejects.toMatchObject({ code: 'STORE_IN_USE' })
  })

  test('what one is making does not look broken to another', async () => {
    const path = await makeDirectory()
    await openIn(path)
    let nowMs = 0
    const clock: Clock = { ...systemClock, monotonicMs: () => (nowMs += 300) }
    await new StoreLocks(join(path, 'mail'), clock).take('dedup_0~dedup')
    await mkdir(join(path, 'mail', 'dedup_0', 'dedup'), { recursive: true })
    await writeFile(join(path, 'mail', 'dedup_0', 'dedup', 'LOG'), '')
    const other = await joined(path, clock)

    for (const act of ['open', 'destroy'] as const)
      await expect(other[act]('dedup_0', store)).rejects.toMatchObject({ code: 'STORE_IN_USE' })
  })

  test('what threads of a dead process had open is free', async () => {
    const path = await makeDirectory()
    await new StoreLocks(join(path, 'mail'), systemClock).take('dedup_0~dedup')

    await openIn(path)

    await expect((await joined(path)).open('dedup_0', store)).resolves.toBeDefined()
  })

  test('all of them see the tasks of the directory, and none of them frees it', async () => {
    const path = await makeDirectory()
    await openIn(path)
    const [one, other] = [await joined(path), await joined(path)]
    await one.open('dedup_0', store)

    expect(await other.taskIds()).toEqual(['dedup_0'])
    await one.close()
    await expect(openIn(path)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
  })
})

describe('ownership', () => {
  test('a second owner in this process is refused with the name of the directory', async () => {
    const path = await makeDirectory()
    await openIn(path)

    await expect(openIn(path)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(join(path, 'mail')) as string,
    })
  })

  test('a link to the directory is the same directory', async () => {
    const path = await makeDirectory()
    await openIn(join(path))
    const link = join(await makeDirectory(), 'link')
    await symlink(path, link)

    await expect(openIn(link)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
  })

  test('another application has its own', async () => {
    const path = await makeDirectory()
    await openIn(path)

    await expect(openIn(path, 'other')).resolves.toBeDefined()
  })

  test('what is closed can be opened again', async () => {
    const path = await makeDirectory()
    const first = await openIn(path)

    await first.close()
    await first.close()

    await expect(openIn(path)).resolves.toBeDefined()
    await expect(first.open('dedup_0', store)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('another live process keeps us out, and we keep it out', async () => {
    const path = await makeDirectory()
    const { child, said } = await ownerProcess(path)

    expect(said).toBe('owner')
    await expect(openIn(path)).rejects.toMatchObject({ code: 'STATE_LOCKED' })

    await killed(child)
    await openIn(path)
    expect((await ownerProcess(path)).said).toBe('STATE_LOCKED')
  })

  test('a directory that cannot be made is a wrong configuration', async () => {
    const path = join(await makeDirectory(), 'file')
    await writeFile(path, '')

    await expect(openIn(path)).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' })
  })

  test('a damaged lock is left to a person', async () => {
    const path = await makeDirectory()
    await (await openIn(path)).close()
    await writeFile(join(path, 'mail', 'instance', 'CURRENT'), 'garbage')

    await expect(openIn(path)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining('instance') as string,
    })
  })
})

describe('remembering', () => {
  test('the first text stays, in this process and the next, also when it is killed', async () => {
    const path = await makeDirectory()
    const { child } = await ownerProcess(path)
    await killed(child)
    const directory = await openIn(path)

    expect(await directory.remember('instance-id', () => 'another')).toBe('made by the owner')
    expect(await directory.remember('something else', () => 'new')).toBe('new')
  })

  test('two who ask at once get one text', async () => {
    const directory = await openIn(await makeDirectory())
    let made = 0
    const make = (): string => `text ${(made += 1)}`

    const texts = await Promise.all([directory.remember('a', make), directory.remember('a', make)])

    expect(texts).toEqual(['text 1', 'text 1'])
  })

  test('what could not be made is made the next time', async () => {
    const directory = await openIn(await makeDirectory())
    const failing = (): string => {
      throw new Error('no entropy')
    }

    await expect(directory.remember('a', failing)).rejects.toThrow('no entropy')

    expect(await directory.remember('a', () => 'text')).toBe('text')
  })
})

describe('stores', () => {
  test('each task and store has its own entries, and they survive', async () => {
    const path = await makeDirectory()
    const first = await openIn(path)
    await (await first.open('dedup_0', store)).apply(writes, position)
    await (await first.open('dedup_1', store)).apply([], { topicId: 't', offset: 9 })
    await first.close()

    const second = await openIn(path)
    const reopened = await second.open('dedup_0', store)

    expect(await reopened.getMany(['a'])).toEqual([Buffer.from('1')])
    expect(await reopened.position()).toEqual(position)
    expect(existsSync(join(path, 'mail', 'dedup_0', 'dedup', 'CURRENT'))).toBe(true)
  })

  test('a memory store starts empty each time', async () => {
    const directory = await openIn(await makeDirectory())
    const memory = { ...store, kind: 'memory' as const }
    const first = await directory.open('dedup_0', memory)
    await first.apply(writes, position)
    await first.close()

    expect(await (await directory.open('dedup_0', memory)).position()).toBeUndefined()
  })

  test('a store is open once, and is not destroyed while it is', async () => {
    const directory = await openIn(await makeDirectory())
    const backend = await directory.open('dedup_0', store)

    await expect(directory.open('dedup_0', store)).rejects.toThrow(/still open/)
    await expect(directory.destroy('dedup_0', store)).rejects.toThrow(/still open/)

    const closing = backend.close()
    await expect(directory.open('dedup_0', store)).resolves.toBeDefined()
    await closing
  })

  test('destroying leaves nothing of the store, and is no error where nothing is', async () => {
    const path = await makeDirectory()
    const directory = await openIn(path)
    const backend = await directory.open('dedup_0', store)
    await backend.apply(writes, position)
    await backend.close()

    await directory.destroy('dedup_0', store)
    await directory.destroy('dedup_0', store)

    expect(await readdir(join(path, 'mail', 'dedup_0'))).toEqual([])
    expect(await readdir(join(path, 'mail'))).toEqual(['dedup_0', 'instance'])
    expect(await (await directory.open('dedup_0', store)).position()).toBeUndefined()
  })

  test('closing the directory closes its stores', async () => {
    const directory = await openIn(await makeDirectory())
    const backend = await directory.open('dedup_0', store)

    await directory.close()

    await expect(backend.getMany(['a'])).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test.each(['../dedup_0', '..', '', 'a/b', 'a b', 'ä'])('"%s" is no name', async name => {
    const directory = await openIn(await makeDirectory())

    const invalid = expect.objectContaining({ code: 'CONFIGURATION_INVALID' }) as unknown
    await expect(directory.open(name, store)).rejects.toEqual(invalid)
    await expect(directory.open('dedup_0', { ...store, name })).rejects.toEqual(invalid)
    expect(() => directory.path(name)).toThrow(/file name/)
    await expect(openIn(await makeDirectory(), name)).rejects.toEqual(invalid)
  })

  test('files of other owners lie beside the stores', async () => {
    const path = await makeDirectory()
    const directory = await openIn(path)

    await writeFile(directory.path('journal'), 'text')

    expect(existsSync(join(path, 'mail', 'journal'))).toBe(true)
  })
})

describe('corruption', () => {
  const filesOf = (path: string): string => join(path, 'mail', 'dedup_0', 'dedup')
  const damages: readonly { what: string; damage: (files: string) => Promise<void> }[] = [
    { what: 'garbage in CURRENT', damage: files => writeFile(join(files, 'CURRENT'), 'garbage') },
    { what: 'CURRENT missing', damage: files => rm(join(files, 'CURRENT')) },
    {
      what: 'CURRENT and the logs missing, which RocksDB alone takes for a new database',
      damage: files => removeMatching(files, /^CURRENT$|\.log$/),
    },
    { what: 'MANIFEST missing', damage: files => removeMatching(files, /^MANIFEST/) },
    { what: 'a table missing', damage: files => removeMatching(files, /\.sst$/) },
    {
      what: 'only the log left of a half deleted store',
      damage: files => removeMatching(files, /^(?!.*\.log$)/),
    },
    { what: 'garbage in the tables', damage: files => garbleMatching(files, /\.sst$/) },
    { what: 'garbage in the MANIFEST', damage: files => garbleMatching(files, /^MANIFEST/) },
  ]

  test.each(damages)(
    '$what is detected; destroyed and opened again the store is empty',
    async ({ damage }) => {
      const path = await makeDirectory()
      await fillAndClose(path)
      await damage(filesOf(path))
      const directory = await openIn(path)

      await expect(directory.open('dedup_0', store)).rejects.toMatchObject({
        code: 'STORE_CORRUPTED',
        message: expect.stringContaining(filesOf(path)) as string,
      })

      await directory.destroy('dedup_0', store)
      const empty = await directory.open('dedup_0', store)
      expect(await empty.position()).toBeUndefined()
      expect(await empty.scan('', '', 1)).toEqual([])
    },
  )

  test('entries without a position are no store', async () => {
    const path = await makeDirectory()
    await fillAndClose(path)
    await using database = await RocksdbDatabase.open(filesOf(path))
    await database.write([Buffer.from('\0position')], [null])
    await database.close()
    const directory = await openIn(path)

    await expect(directory.open('dedup_0', store)).rejects.toMatchObject({
      code: 'STORE_CORRUPTED',
      message: expect.stringContaining('no position') as string,
    })
  })

  test.each(['text', '{"topicId":"t","offset":"7"}', '{"offset":7}'])(
    'a position that reads %s is none',
    async value => {
      const path = await makeDirectory()
      await fillAndClose(path)
      await using database = await RocksdbDatabase.open(filesOf(path))
      await database.write([Buffer.from('\0position')], [Buffer.from(value)])
      await database.close()
      const directory = await openIn(path)

      await expect(directory.open('dedup_0', store)).rejects.toMatchObject({
        code: 'STORE_CORRUPTED',
      })
    },
  )

  test('the logs of earlier runs do not pile up', async () => {
    const path = await makeDirectory()
    for (let run = 0; run < 4; run += 1) await fillAndClose(path)

    const names = await readdir(filesOf(path))
    expect(names.filter(name => name.startsWith('LOG'))).toHaveLength(2)
  })

  test('an empty directory is a new store', async () => {
    const path = await makeDirectory()
    await mkdir(filesOf(path), { recursive: true })
    const directory = await openIn(path)

    const backend = await directory.open('dedup_0', store)

    expect(await backend.position()).toBeUndefined()
  })

  /** Twice, so that there are tables: RocksDB makes one of the log when it opens. */
  async function fillAndClose(path: string): Promise<void> {
    for (const offset of [1, 2]) {
      const directory = await openIn(path)
      const backend = await directory.open('dedup_0', store)
      await backend.apply(writes, { topicId: 't', offset })
      await directory.close()
    }
  }

  async function removeMatching(files: string, pattern: RegExp): Promise<void> {
    for (const name of await readdir(files)) if (pattern.test(name)) await rm(join(files, name))
  }

  async function garbleMatching(files: string, pattern: RegExp): Promise<void> {
    const names = (await readdir(files)).filter(name => pattern.test(name))
    expect(names).not.toEqual([])
    for (const name of names) await writeFile(join(files, name), Buffer.alloc(600, 0xa5))
  }
})
