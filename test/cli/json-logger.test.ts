import { expect, test } from 'vitest'
import { jsonLogger } from '../../src/cli/json-logger.ts'
import { Secret } from '../../src/cli/secret.ts'

function linesAt(level: 'info' | 'warn'): {
  lines: Record<string, unknown>[]
  log: ReturnType<typeof jsonLogger>
} {
  const lines: Record<string, unknown>[] = []
  const log = jsonLogger(
    level,
    { instance: 'i' },
    { write: line => lines.push(JSON.parse(line) as Record<string, unknown>) },
  )
  return { lines, log }
}

test('writes one JSON object a line, with the fields of the instance', () => {
  const { lines, log } = linesAt('info')

  log.info({ event: 'running' }, 'ready')
  log.debug({ event: 'unheard' })

  expect(lines).toEqual([
    { level: 30, time: expect.any(Number), instance: 'i', event: 'running', msg: 'ready' },
  ])
})

test('leaves out what is less important than the level', () => {
  const { lines, log } = linesAt('warn')

  log.info({ event: 'unheard' })
  log.error({ event: 'heard' })

  expect(lines.map(line => line['event'])).toEqual(['heard'])
})

test('a secret that gets into a line by mistake is not readable there', () => {
  const { lines, log } = linesAt('info')

  log.info({ smtp: new Secret('smtp://u:hunter2@relay', 'smtp://relay') })

  expect(lines[0]?.['smtp']).toBe('smtp://relay')
})
