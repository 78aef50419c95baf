import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import type { EmailRequested } from '../../src/email/records.ts'
import { MemoryTerminal } from '../cli/memory-terminal.ts'
import { emailRequested } from '../support/email-requests.ts'
import { eventually } from '../support/proof/eventually.ts'
import type { MailonceInstance } from '../support/proof/mailonce-instance.ts'
import { ProofWorld, untilRunning } from '../support/proof/proof-world.ts'

const prefix = `suppress-${Date.now().toString(36)}`
const gone = `${prefix}-gone@example.com`
const there = `${prefix}-there@example.com`

let world: ProofWorld
let instance: MailonceInstance
let made = 0

beforeAll(async () => {
  world = await ProofWorld.start({
    kafka: inject('kafkaBootstrapServers'),
    registryUrl: inject('schemaRegistryUrl'),
  })
  instance = world.run('suppressing')
  await untilRunning([instance])
})

afterAll(() => world[Symbol.asyncDispose]())

async function suppress(...argv: readonly string[]) {
  const terminal = new MemoryTerminal({ USER: 'ann' })
  const { kafka, registryUrl } = world.servers
  const servers = ['--kafka', kafka, '--schema-registry', registryUrl]
  const code = await main(['suppress', ...argv, ...servers], terminal)
  return { code, printed: terminal.printed, told: terminal.told.join('\n') }
}

async function ask(to: readonly string[], fields: Partial<EmailRequested> = {}) {
  const requestId = `${prefix}-${(made += 1)}`
  const request = emailRequested({ requestId, to, requestedAt: Date.now(), ...fields })
  await world.publish([{ request, placement: {} }])
  await eventually('an end', () => world.outcomes.endsOf(requestId).length > 0)
  return world.outcomes.endsOf(requestId)[0]!
}

const mailsTo = async (address: string) => (await world.mailed()).get(address) ?? 0

test('who is put on the list gets no mail, others of the same request do, and a kill forgets nobody', async () => {
  const added = await suppress('add', gone.replace('example.com', 'EXAMPLE.com'), '--why', 'moved')
  const listed = await suppress('list', '--json')
  await instance.kill()
  instance = world.run('suppressing')
  await untilRunning([instance])
  const alone = await ask([gone])
  const together = await ask([gone, there])

  expect(added).toMatchObject({ code: 0, printed: [`${gone}: suppressed, MANUAL`] })
  expect(listed.printed.map(line => JSON.parse(line) as unknown)).toContainEqual(
    expect.objectContaining({ key: gone, reason: 'MANUAL', detail: 'moved', source: 'ann' }),
  )
  expect(alone).toMatchObject({
    kind: 'FAILED',
    record: { reason: 'REJECTED', attempts: 0, messageId: null, relay: null },
  })
  expect(alone.record.recipients).toMatchObject([
    { address: gone, status: 'REJECTED', reply: '550 5.7.1 suppressed: MANUAL' },
  ])
  expect(together.kind).toBe('SENT')
  expect(together.record.recipients.map(each => each.status)).toEqual(['REJECTED', 'ACCEPTED'])
  expect([await mailsTo(gone), await mailsTo(there)]).toEqual([0, 1])
})

test('who is taken off the list gets mail again', async () => {
  const removed = await suppress('remove', gone)
  const listed = await suppress('list', '--json')
  let sent = 0
  await eventually('a mail', async () => {
    // The instance hears of it within a moment: requests before that are refused.
    const end = await ask([gone])
    if (end.kind === 'SENT') sent += 1
    return sent > 0
  })

  expect(removed.printed).toEqual([`${gone}: gets mail`])
  expect(listed.printed.join('\n')).not.toContain(gone)
  expect(await mailsTo(gone)).toBe(sent)
})

test('what is no address is refused before anything is asked', async () => {
  expect(await suppress('add', 'ann')).toMatchObject({
    code: 2,
    told: expect.stringContaining('"ann" is not a bare address') as unknown,
  })
  expect(await suppress('add', gone, '--reason', 'because')).toMatchObject({
    code: 2,
    told: expect.stringContaining('manual, complaint, unsubscribed, hard-bounce') as unknown,
  })
})
