import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'

import { expect, onTestFinished, test } from 'vitest'

type Launched = ChildProcessByStdio<null, Readable, Readable>

const root = join(import.meta.dirname, '..', '..')

// What the launcher sees of a Node that is too old; the Node it finds and starts is not told.
const asOldNode = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })`

/** A package around the real launcher whose main modules are the given texts. */
async function packageWith(
  files: Readonly<Record<string, string>>,
  modules = true,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await cp(join(root, 'bin'), join(directory, 'bin'), { recursive: true })
  if (modules) await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
  for (const [path, content] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), content)
  }
  return directory
}

function launch(directory: string, ...launcherArguments: readonly string[]): Launched {
  const launcher = ['--import', asOldNode, join(directory, 'bin', 'mailonce.js')]
  const child = spawn(process.execPath, [...launcher, ...launcherArguments], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function firstLine(child: Launched): Promise<string> {
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return line
}

const prints = (what: string): string =>
  `export async function main(argv) { console.log(${what}); return argv.length }`
// Prints its process id and waits for a signal.
const waits = `export async function main() {
  const signal = new Promise(resolve => process.once('SIGTERM', resolve))
  const awake = setInterval(() => undefined, 1000)
  console.log(process.pid)
  await signal
  clearInterval(awake)
  return 7
}`

test('an old Node starts the one that was installed, with the arguments, and ends with its exit code', async () => {
  const directory = await packageWith({
    'src/cli/main.ts': prints('process.versions.node, argv.join()'),
  })

  const child = launch(directory, 'send', '--to', 'a b')
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])

  expect(output).toMatch(/^24\.\d+\.\d+ send,--to,a b\n$/)
  expect(code).toBe(3)
})

test('the sources of a checkout win over a dist', async () => {
  const directory = await packageWith({
    'src/cli/main.ts': prints("'source'"),
    'dist/cli/main.js': prints("'dist'"),
  })

  expect(await text(launch(directory).stdout)).toBe('source\n')
})

test('a package without sources runs its dist', async () => {
  const directory = await packageWith({ 'dist/cli/main.js': prints("'dist'") })

  expect(await text(launch(directory).stdout)).toBe('dist\n')
})

test('SIGTERM reaches the processor, whose exit code becomes the launcher’s', async () => {
  const child = launch(await packageWith({ 'src/cli/main.ts': waits }))
  const exited = once(child, 'exit')
  await firstLine(child)

  child.kill('SIGTERM')

  expect(await exited).toEqual([7, null])
})

test('a launcher that is killed takes the processor with it', async () => {
  const child = launch(await packageWith({ 'src/cli/main.ts': waits }))
  const output = createInterface({ input: child.stdout })
  const [processorId] = (await once(output, 'line')) as [string]
  // Both hold the pipe: it ends when the second of them is gone.
  const gone = once(output, 'close').then(() => 'gone')
  let left: number | undefined = Number(processorId)
  onTestFinished(() => {
    if (left !== undefined) process.kill(left, 'SIGKILL')
  })

  child.kill('SIGKILL')

  expect(await gone).toBe('gone')
  left = undefined
})

test('a processor that is killed ends the launcher by the same signal', async () => {
  const child = launch(await packageWith({ 'src/cli/main.ts': waits }))
  const exited = once(child, 'exit')

  process.kill(Number(await firstLine(child)), 'SIGKILL')

  expect(await exited).toEqual([null, 'SIGKILL'])
})

test('without any Node that is new enough one line says what to do', async () => {
  const directory = await packageWith({ 'src/cli/main.ts': waits }, false)

  const child = launch(directory)
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])

  expect(output).toMatch(/^mailonce: needs Node 24\.6 or newer, and this is 20\.20\.2: [^\n]+\n$/)
  expect(code).toBe(1)
})

test('a main module that does not load is one line, not a stack', async () => {
  const directory = await packageWith({
    'src/cli/main.ts': "throw new Error('libatomic.so.1: cannot open')",
  })

  const child = launch(directory)
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])

  expect(output).toBe(
    'mailonce: the system library libatomic is missing: install it (on Debian: apt-get install libatomic1)\n',
  )
  expect(code).toBe(1)
})

// What npx does: a shell in between, and no signal passed on.
const asNpx = (directory: string): Launched =>
  spawn(
    '/bin/sh',
    ['-c', '"$@"; :', 'npx', process.execPath, join(directory, 'bin', 'mailonce.js')],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, npm_command: 'exec' },
    },
  )
// Tells when the launcher stops watching npx.
const tellsOfTheWatch = `export async function main() {
  const stopWatching = globalThis.clearInterval
  globalThis.clearInterval = timer => { console.log('npx is not watched any more'); stopWatching(timer) }
  const asked = new Promise(resolve => process.once('SIGTERM', resolve))
  setInterval(() => undefined, 1000)
  console.log(process.pid)
  await asked
  return 0
}`

test('an npx that is killed asks the processor to stop', async () => {
  const npx = asNpx(await packageWith({ 'src/cli/main.ts': waits }))
  const output = createInterface({ input: npx.stdout })
  const [processorId] = (await once(output, 'line')) as [string]
  const gone = once(output, 'close').then(() => 'gone')
  let left: number | undefined = Number(processorId)
  onTestFinished(() => {
    if (left !== undefined) process.kill(left, 'SIGKILL')
  })

  npx.kill('SIGKILL')

  expect(await gone).toBe('gone')
  left = undefined
})

test('a processor that was asked to stop is not asked again when npx goes', async () => {
  const npx = asNpx(await packageWith({ 'src/cli/main.ts': tellsOfTheWatch }))
  const output = createInterface({ input: npx.stdout })
  const lines: string[] = []
  output.on('line', line => lines.push(line))
  await once(output, 'line')

  process.kill(Number(lines[0]), 'SIGTERM')
  await once(output, 'close')

  expect(lines.slice(1)).toEqual(['npx is not watched any more'])
})
