import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

// Runs every check and every test, goes on after a failure, and ends with one line: "N passed, N failed".

interface Count {
  passed: number
  failed: number
}

/** The part of vitest's JSON report that is read here. */
interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly unknown[]
  }[]
}

const root = join(import.meta.dirname, '..')
const binaries = join(root, 'node_modules', '.bin')
const environment = { ...process.env, PATH: `${binaries}${delimiter}${process.env['PATH'] ?? ''}` }

/** With `held`, what it prints is shown when it has ended: two that run side by side do not mix their lines. */
async function succeeds(
  command: string,
  commandArguments: readonly string[],
  output: 'shown' | 'held' = 'shown',
): Promise<boolean> {
  const stdio = output === 'shown' ? 'inherit' : 'pipe'
  const child = spawn(join(binaries, command), commandArguments, {
    cwd: root,
    env: environment,
    stdio: ['inherit', stdio, stdio],
  })
  const held: Buffer[] = []
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => held.push(chunk))
  const failed = once(child, 'error').then(([error]) => {
    console.error(String(error))
    return false
  })
  const passed = await Promise.race([failed, once(child, 'close').then(([code]) => code === 0)])
  process.stdout.write(Buffer.concat(held))
  return passed
}

async function check(
  name: string,
  command: string,
  ...commandArguments: readonly string[]
): Promise<Count> {
  console.log(`\n— ${name}`)
  const passed = await succeeds(command, commandArguments)
  return passed ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

async function tests(
  projects: readonly string[],
  output: 'shown' | 'held' = 'shown',
): Promise<Count> {
  if (output === 'shown') console.log(`\n— tests: ${projects.join(', ')}`)
  const directory = await mkdtemp(join(tmpdir(), 'mailonce-test-'))
  const report = join(directory, 'report.json')
  try {
    const selected = projects.map(project => `--project=${project}`)
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile=${report}`]
    const passed = await succeeds('vitest', ['run', ...selected, ...reporters], output)
    const count = countTests(JSON.parse(await readFile(report, 'utf8')) as VitestReport)
    // What belongs to no test (an unhandled rejection, a teardown that fails) still is a failure.
    return passed || count.failed > 0 ? count : { ...count, failed: 1 }
  } catch (error) {
    console.error(`the tests left no report: ${String(error)}`)
    return { passed: 0, failed: 1 }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** A file that does not load, or holds no test, counts as one failure. */
function countTests(report: VitestReport): Count {
  const broken = report.testResults.filter(
    file => file.status === 'failed' && file.assertionResults.length === 0,
  )
  const count = { passed: report.numPassedTests, failed: report.numFailedTests + broken.length }
  return count.passed + count.failed === 0 ? { passed: 0, failed: 1 } : count
}

const counts = [
  await check('types', 'tsc', '--noEmit'),
  await check('lint', 'oxlint', '-c', '.oxlintrc.json'),
  await check('format', 'oxfmt', '--check', '.'),
  await check('unused code', 'knip'),
  await tests(['unit', 'contract', 'simulation']),
  // Real servers mostly wait: two lanes of them, each one file after the other, have room on two processors.
  ...(await Promise.all([tests(['broker']), tests(['kafka'], 'held')])),
]
const total: Count = { passed: 0, failed: 0 }
for (const { passed, failed } of counts) {
  total.passed += passed
  total.failed += failed
}
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed === 0 ? 0 : 1
