import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RuntimeMetrics } from '../../src/runtime/runtime-metrics.ts'
import { showStaging } from '../../src/cli/staging.ts'
import { RelayMetrics } from '../../src/sinks/relay-metrics.ts'
import { markdownPage, tableBelow } from './markdown-page.ts'

const page = markdownPage('docs/operations.md')
const source = new URL('../../src/', import.meta.url)
const sources = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => readFileSync(new URL(name, source), 'utf8'))

function documented(heading: string): readonly string[] {
  const [, ...rows] = tableBelow(page, heading)
  return rows.map(([name = '']) => name.replaceAll('`', ''))
}

function found(pattern: RegExp): readonly string[] {
  const names = sources.flatMap(text => [...text.matchAll(pattern)].map(([, name = '']) => name))
  return [...new Set(names)]
}

test('docs/operations.md explains every event of the log and no other', () => {
  expect(documented('## Logs').toSorted()).toEqual(
    found(/(?:\bevent: |\bwarn\()'([a-z-]+)'/g).toSorted(),
  )
})

test('docs/operations.md explains every metric and no other', () => {
  const { registry } = new RuntimeMetrics()
  new RelayMetrics(registry).watch('r', {
    circuit: { state: 'closed' },
    room: { inFlight: 0, connections: 1, perSecond: Infinity },
  })
  showStaging(registry, { applicationId: 'a', dryRun: false, redirectTo: undefined })
  const own = [...registry.render().matchAll(/^# HELP (\w+)/gm)]
  const counted = found(/(?<!options)\.count\('(\w+_\w+|callbacks)'/g)

  const metrics = own
    .map(([, name = '']) => name)
    .concat(counted.map(each => `mailonce_${each}_total`))

  expect(documented('## Metrics').toSorted()).toEqual(metrics.toSorted())
})
