import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
import { kebabCase, structured } from '../../src/cli/structure.ts'
import { webhookSection } from '../../src/cli/webhook-section.ts'
import { webhookOf } from '../../src/email/webhook-event.ts'
import { attemptAt, key, prepared, sinkTo } from '../sinks/webhook-fixture.ts'
import { blocksOf, markdownPage, tableBelow } from './markdown-page.ts'

const folder = mkdtempSync(join(tmpdir(), 'mailonce-receiver-'))
afterAll(() => rmSync(folder, { recursive: true }))

const { body } = webhookOf(
  {
    eventId: 'event-1',
    requestId: 'r-1',
    source: 'billing',
    sequence: 1,
    outcome: 'SENT',
    detail: '250 queued',
    messageId: null,
    context: {},
    occurredAt: 0,
  },
  '',
)

test('the receiver of docs/subscribing.md takes a webhook once, and nothing from strangers', async () => {
  const [program = ''] = blocksOf(markdownPage('docs/subscribing.md'), 'js')
  const file = join(folder, 'receiver.mjs')
  writeFileSync(
    file,
    program.replace("'standardwebhooks'", `'${import.meta.resolve('standardwebhooks')}'`),
  )
  const receiver = spawn(process.execPath, [file], {
    env: { PORT: '0', WEBHOOK_KEY: `whsec_${key.toString('base64')}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
  const port = String((await lines.next()).value).replace('port ', '')
  await using sink = sinkTo()
  await using stranger = sinkTo({ keys: [Buffer.from('the key of somebody else altogether')] })
  const sendTo = async (by: typeof sink) =>
    (await prepared(by, attemptAt(`http://127.0.0.1:${port}/`, body))).perform(() => true)

  const replies = [await sendTo(sink), await sendTo(stranger), await sendTo(sink)]
  receiver.kill()
  await once(receiver, 'close')
  const printed = [(await lines.next()).value, (await lines.next()).value]

  expect(replies.map(({ reply }) => reply)).toEqual(['HTTP 204', 'HTTP 400', 'HTTP 204'])
  expect(printed).toEqual(['email.sent r-1: 250 queued', undefined])
})

test('docs/delivery.md has every key of the section and no other,', () => {
  const page = markdownPage('docs/delivery.md')
  const section = structured(webhookSection)
  const [, below = ''] = page.split('The section `webhooks` of the configuration file')

  const documented = tableBelow(`\n## keys\n${below}`, '## keys').slice(1)
  const keys = Object.keys(section.read!('{}', 'page')).map(each => `\`${kebabCase(each)}\``)

  expect(documented.map(([name]) => name)).toEqual(keys)
})
