#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=16
// Finds a Node that can run mailonce and runs it there. Any Node from 18 on has to be able to read this file.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

// As in the first line: docs/performance.md has what both bring. V8 would give new objects 64 MB, and glibc each thread an arena that keeps what
// was freed in it.
const smallSemiSpace = '--max-semi-space-size=16'
const fewArenas = { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX ?? '1' }
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major > 24 || (major === 24 && minor >= 6)) await runHere()
else runInBundledNode()

function die() {
  process.kill(process.pid, 'SIGKILL')
}

async function runHere() {
  // The old generation is collected when it is three times what lived, not four: the same page. Set here, because a Node that does not know an
  // option of V8 does not start with it, and does without it here.
  setFlagsFromString('--heap-growing-percent=200')
  // With an IPC channel the parent is the launcher below. A parent that is gone was killed: this process ends the same
  // way, because a successor would otherwise meet a second owner of its instance id.
  if (process.env.MAILONCE_LAUNCHED === '1') {
    delete process.env.MAILONCE_LAUNCHED
    if (!process.connected) die()
    process.once('disconnect', die)
    process.channel?.unref()
  } else stopWithNpx()
  try {
    const { main } = await import(mainModule().href)
    process.exit(await main(process.argv.slice(2)))
  } catch (error) {
    process.stderr.write(`mailonce: ${explain(error)}\n`)
    process.exit(1)
  }
}

/** The sources of a checkout win over a dist that may be stale; a published package has only its dist. */
function mainModule() {
  const source = new URL('../src/cli/main.ts', import.meta.url)
  return existsSync(source) ? source : new URL('../dist/cli/main.js', import.meta.url)
}

function explain(error) {
  const message = error instanceof Error ? error.message : String(error)
  if (!message.includes('libatomic.so.1')) return message
  return 'the system library libatomic is missing: install it (on Debian: apt-get install libatomic1)'
}

function runInBundledNode() {
  const node = bundledNode()
  if (node === undefined) {
    process.stderr.write(
      `mailonce: needs Node 24.6 or newer, and this is ${process.versions.node}: install a newer Node, ` +
        'or install mailonce with its optional dependencies, which bring one for Linux on x64 and arm64\n',
    )
    process.exit(1)
  }
  stopWithNpx()
  // A session of its own: Ctrl-C reaches the launcher alone, so the processor is not told twice, which means "at once".
  const self = fileURLToPath(import.meta.url)
  const child = spawn(node, [smallSemiSpace, self, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...fewArenas, MAILONCE_LAUNCHED: '1' },
    detached: true,
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('error', error => {
    process.stderr.write(`mailonce: ${node} does not run: ${error.message}\n`)
    process.exit(1)
  })
  child.once('exit', (code, signal) => endLike(code, signal))
}

function endLike(code, signal) {
  if (signal === null) process.exit(code ?? 1)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  // A signal that does not end this process is told the way a shell tells it.
  process.exitCode = 128 + constants.signals[signal]
}

/**
 * npx passes no signal on: it dies, and its shell with it or not. So when they are gone this process is asked to stop,
 * unless it was asked already.
 */
function stopWithNpx() {
  if (process.env.npm_command !== 'exec') return
  const before = ancestors()
  const timer = setInterval(() => {
    if (ancestors() === before) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, 200)
  timer.unref()
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
      clearInterval(timer)
      // Listening took the signal's own effect away; it is due where nobody else listens.
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
    })
  }
}

/** The ids of the parent and, where the system tells, of its parent. */
function ancestors() {
  try {
    const status = readFileSync(`/proc/${process.ppid}/status`, 'utf8')
    return `${process.ppid} ${/^PPid:\s+(\d+)$/m.exec(status)?.[1]}`
  } catch {
    return `${process.ppid}`
  }
}

function bundledNode() {
  if (process.platform !== 'linux') return undefined
  try {
    return createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`)
  } catch {
    return undefined
  }
}
