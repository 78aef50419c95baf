import { describe, expect, test } from 'vitest'
import { MetricRegistry } from '../../src/metrics.ts'
import {
  instanceApplicationId,
  refuseTakeOver,
  showStaging,
  stagingText,
  stagingWebhooks,
} from '../../src/cli/staging.ts'

import { attemptAt, prepared, sinkTo } from '../sinks/webhook-fixture.ts'
import { ScriptedReceiver } from '../support/webhooks/scripted-receiver.ts'

const real = { applicationId: 'shop', dryRun: false, redirectTo: undefined }
const dryRun = { ...real, dryRun: true }
const redirected = { ...real, redirectTo: 'team@example.org' }

describe('the application id', () => {
  test.each([
    { of: 'who sends', settings: real, id: 'shop' },
    { of: 'who redirects', settings: redirected, id: 'shop' },
    { of: 'a dry run', settings: dryRun, id: 'shop-dry-run' },
    {
      of: 'a dry run that names its own',
      settings: { ...dryRun, applicationId: 'x-dry-run' },
      id: 'x-dry-run',
    },
  ])('of $of is $id', ({ settings, id }) => {
    expect(instanceApplicationId(settings)).toBe(id)
  })

  test('of a dry run is refused to those who send', () => {
    expect(() => instanceApplicationId({ ...real, applicationId: 'shop-dry-run' })).toThrow(
      /shop-dry-run belongs to dry runs/,
    )
  })
})

test('a dry run takes over no topics, and others may', () => {
  expect(() => refuseTakeOver(dryRun, true)).toThrow(/give the dry run topics of its own/)
  expect(() => refuseTakeOver(dryRun, false)).not.toThrow()
  expect(() => refuseTakeOver(redirected, true)).not.toThrow()
})

test.each([
  { settings: real, text: undefined, modes: [] },
  { settings: dryRun, text: 'DRY RUN: no mail is sent', modes: ['dry-run'] },
  {
    settings: redirected,
    text: 'REDIRECTED: every mail goes to team@example.org instead of its recipients',
    modes: ['redirect'],
  },
])('$modes says $text', ({ settings, text, modes }) => {
  expect(stagingText(settings)).toBe(text)
  const registry = new MetricRegistry()
  showStaging(registry, settings)
  const shown = [...registry.render().matchAll(/^mailonce_staging\{mode="(.*)"\} 1$/gm)]
  expect(shown.map(([, mode]) => mode)).toEqual(modes)
})

test.each([
  { of: 'a dry run', settings: dryRun, requests: 0, reply: /^dry run: .* the request, which/ },
  { of: 'who sends', settings: real, requests: 1, reply: /^HTTP 204$/ },
])('webhooks of $of: $requests', async ({ settings, requests, reply }) => {
  await using receiver = await ScriptedReceiver.start()
  await using sink = stagingWebhooks(sinkTo(), settings)

  const outcome = await (await prepared(sink, attemptAt(receiver.url))).perform(() => true)

  expect(outcome.reply).toMatch(reply)
  expect(receiver.requests).toHaveLength(requests)
})
