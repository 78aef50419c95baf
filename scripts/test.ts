import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'

// Runs every check and every test, goes on after a failure, and ends with one line: "N passed, N failed".

interface Count {
  readonly passed: number
  readonly failed: number
  /** What failed, by name: whoever sees only the end of the output sees it. */
  readonly names: readonly string[]
}

/** The part of vitest's JSON report that is read here. */
interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
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
  return passed ? { passed: 1, failed: 0, names: [] } : failure(name)
}

function failure(name: string): Count {
  return { passed: 0, failed: 1, names: [name] }
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
    if (passed || count.failed > 0) return count
    return { ...count, failed: 1, names: [`${projects.join(', ')}: an error outside of the tests`] }
  } catch (error) {
    return failure(`${projects.join(', ')} left no report: ${String(error)}`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** A file that does not load, or holds no test, counts as one failure. */
function countTests(report: VitestReport): Count {
  const broken = report.testResults
    .filter(file => file.status === 'failed' && file.assertionResults.length === 0)
    .map(file => `${relative(root, file.name)} did not load`)
  const failed = report.testResults.flatMap(file =>
    file.assertionResults
      .filter(each => each.status === 'failed')
      .map(each => `${relative(root, file.name)}: ${each.fullName}`),
  )
  const passed = report.numPassedTests
  const count = report.numFailedTests + broken.length
  return passed + count === 0
    ? failure('no test was found')
    : { passed, failed: count, names: [...broken, ...failed] }
}

const counts = [
  await check('types', 'tsc', '--noEmit'),
  await check('lint', 'oxlint', '-c', '.oxlintrc.json'),
  await check('format', 'oxfmt', '--check', '.'),
  await check('unused code', 'knip'),
  await tests(['unit', 'contract', 'simulation']),
  // Real servers mostly wait: three lanes of them, each one file after the other, have room on two processors.
  ...(await Promise.all([
    tests(['broker']),
    tests(['kafka'], 'held'),
    tests(['instances'], 'held'),
  ])),
]
const sum = (of: 'passed' | 'failed'): number =>
  counts.reduce((total, count) => total + count[of], 0)
for (const { names } of counts) for (const name of names) console.log(`failed: ${name}`)
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') === 0 ? 0 : 1
