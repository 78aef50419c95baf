import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bounceChildren } from '../../src/email/bounce-processor.ts'
import { callbackChildren } from '../../src/email/callback-processor.ts'
import { dedupChildren } from '../../src/email/dedup-processor.ts'
import { emailTopology } from '../../src/email/email-topology.ts'
import { type SchemaTopic, schemaText, schemaTopics, subjectOf } from '../../src/email/schemas.ts'
import { sendChildren } from '../../src/email/send-effect.ts'
import { idleSink, plainSerdes } from '../support/email-flow.ts'

const dayMs = 24 * 3_600_000
const topologyOf = (dedupWindowMs: number) =>
  emailTopology({
    serdes: plainSerdes,
    sink: idleSink,
    dedupWindowMs,
    outcomesKeptMs: dayMs,
    inDoubt: 'hold',
    retryDelaysMs: [1000],
  })
const topology = topologyOf(7 * dayMs)

const partsOfTopology = () =>
  topology.subTopologies.map(({ name, sources, stores }) => ({
    name,
    reads: sources.map(each => each.topic.name),
    stores: stores.map(each => each.name),
  }))

test('four sub-topologies, each cut at a topic, each with a store of its own', () => {
  expect(partsOfTopology().slice(0, 4)).toEqual([
    { name: 'dedup', reads: ['email.requested', 'requests-repartition'], stores: ['dedup'] },
    { name: 'send', reads: ['email.dedup', 'send-commands'], stores: ['outbox'] },
    {
      name: 'callback',
      reads: ['email.sent', 'email.failed', 'duplicates-repartition', 'bounces-repartition'],
      stores: ['outcomes'],
    },
    {
      name: 'webhook',
      reads: ['webhooks-repartition', 'webhook-commands'],
      stores: ['webhooks'],
    },
  ])
  expect(topology.globalTables.map(each => [each.name, each.topic.name])).toEqual([
    ['suppressed', 'email.suppressed'],
    ['webhooks-disabled', 'email.webhooks-disabled'],
  ])
  expect(topology.deadLetterTopic).toBe('email.dead-letter')
})

test('a fifth reads reports, and shares nothing with the others', () => {
  expect(partsOfTopology().slice(4)).toEqual([
    {
      name: 'bounce',
      reads: ['email.bounces', 'message-ids-repartition'],
      stores: ['message-ids'],
    },
  ])
})

test('only who answers by itself reads again what it has read', () => {
  const reread = topology.nodes.flatMap(node =>
    node.kind === 'source' ? [[node.name, node.reread]] : [],
  )

  expect(reread).toEqual([
    ['requests', 'mark'],
    ['rerouted', 'mark'],
    ['mails', 'skip'],
    ['commands', 'skip'],
    ['sent-ends', 'skip'],
    ['failed-ends', 'skip'],
    ['repeats', 'skip'],
    ['bounced', 'skip'],
    ['webhook-requests', 'skip'],
    ['webhook-commands', 'skip'],
    ['reports', 'process'],
    ['mails-by-message-id', 'process'],
  ])
})

test('every child that a stage names is a sink below it', () => {
  const below = (parent: string) =>
    topology.nodes.flatMap(node =>
      node.kind === 'sink' && node.from.includes(parent) ? [node.name] : [],
    )

  expect(below('dedup').toSorted()).toEqual(Object.values(dedupChildren).toSorted())
  expect(below('callback').toSorted()).toEqual(Object.values(callbackChildren).toSorted())
  expect(below('bounce').toSorted()).toEqual(Object.values(bounceChildren).toSorted())
  expect(below('send').toSorted()).toEqual(Object.values(sendChildren).toSorted())
})

test('stores forget as the contract says', () => {
  const configs = topology.subTopologies.flatMap(each => each.stores)

  expect(configs.map(each => [each.name, each.changelogConfigs])).toEqual([
    ['dedup', { 'cleanup.policy': 'compact,delete', 'retention.ms': String(14 * dayMs) }],
    ['outbox', { 'cleanup.policy': 'compact', 'max.message.bytes': String(64 * 1024 * 1024) }],
    ['outcomes', { 'cleanup.policy': 'compact' }],
    ['webhooks', { 'cleanup.policy': 'compact', 'max.message.bytes': String(64 * 1024 * 1024) }],
    ['message-ids', { 'cleanup.policy': 'compact' }],
  ])
})

test('an ended mail is remembered for the window', () => {
  const node = topology.nodes.find(each => each.kind === 'effect')
  const ended = { state: { kind: 'ended', end: 'done', atMs: 5 } }

  expect(node?.store.expiresAtMs?.('s|billing\0r-1', ended)).toBe(5 + 7 * dayMs)
  expect(node?.definition).toMatchObject({ rememberMs: 7 * dayMs })
})

test.each([
  { dedupWindowMs: 7 * dayMs, retentionMs: 14 * dayMs },
  { dedupWindowMs: 5000, retentionMs: 7 * dayMs },
])(
  'internal topics outlive a stopped processor: window $dedupWindowMs',
  ({ dedupWindowMs, retentionMs }) => {
    const internal = topologyOf(dedupWindowMs).nodes.flatMap(node =>
      node.kind === 'source' && node.topic.internal ? [node.topic.internal.configs] : [],
    )

    expect(internal).toHaveLength(7)
    for (const configs of internal) {
      expect(configs).toMatchObject({
        'cleanup.policy': 'delete',
        'retention.ms': String(retentionMs),
        'message.timestamp.type': 'CreateTime',
      })
    }
  },
)

interface Field {
  readonly name: string
  readonly type: unknown
  readonly default?: unknown
}

const contract: Readonly<Record<SchemaTopic, { name: string; fields: string; defaults: object }>> =
  {
    'email.requested': {
      name: 'EmailRequested',
      fields:
        'requestId source to cc bcc from replyTo subject text html headers attachments unsubscribe priority notBefore expiresAt inDoubt callback requestedAt',
      defaults: {
        cc: [],
        bcc: [],
        from: null,
        replyTo: null,
        text: null,
        html: null,
        headers: {},
        attachments: [],
        unsubscribe: null,
        priority: 'NORMAL',
        notBefore: null,
        expiresAt: null,
        inDoubt: 'DEFAULT',
        callback: null,
      },
    },
    'email.dedup': {
      name: 'EmailRequested',
      fields:
        'requestId source to cc bcc from replyTo subject text html headers attachments unsubscribe priority notBefore expiresAt inDoubt callback requestedAt',
      defaults: {
        cc: [],
        bcc: [],
        from: null,
        replyTo: null,
        text: null,
        html: null,
        headers: {},
        attachments: [],
        unsubscribe: null,
        priority: 'NORMAL',
        notBefore: null,
        expiresAt: null,
        inDoubt: 'DEFAULT',
        callback: null,
      },
    },
    'email.sent': {
      name: 'EmailSent',
      fields:
        'requestId source messageId recipients relay reply attempts callback requestedAt sentAt',
      defaults: { callback: null },
    },
    'email.failed': {
      name: 'EmailFailed',
      fields:
        'requestId source reason detail recipients attempts messageId relay callback requestedAt failedAt',
      defaults: { messageId: null, relay: null, callback: null },
    },
    'email.callback': {
      name: 'EmailCallback',
      fields: 'eventId requestId source sequence outcome detail messageId context occurredAt',
      defaults: {},
    },
    'email.suppressed': {
      name: 'EmailSuppressed',
      fields: 'address reason detail source at',
      defaults: { detail: '', source: '' },
    },
  }

test.each(schemaTopics)('the schema of %s has the fields and defaults of the contract', topic => {
  const schema = JSON.parse(schemaText(topic)) as {
    name: string
    namespace: string
    fields: readonly Field[]
  }
  const withDefault = schema.fields.filter(each => 'default' in each)

  expect(subjectOf(topic)).toBe(`${topic}-value`)
  expect({ ...contract[topic], namespace: 'email' }).toEqual({
    name: schema.name,
    namespace: schema.namespace,
    fields: schema.fields.map(each => each.name).join(' '),
    defaults: Object.fromEntries(withDefault.map(each => [each.name, each.default])),
  })
})

test('every enum has the default that old readers fall back to', () => {
  const enums = schemaTopics.flatMap(topic => enumsIn(JSON.parse(schemaText(topic))))

  expect(Object.fromEntries(enums.map(each => [each.name, each.default]))).toEqual({
    Priority: 'NORMAL',
    InDoubt: 'DEFAULT',
    RecipientStatus: 'UNKNOWN',
    FailureReason: 'UNKNOWN',
    CallbackOutcome: 'UNKNOWN',
    SuppressionReason: 'UNKNOWN',
  })
})

test('the package carries the schemas', () => {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')

  expect((JSON.parse(manifest) as { files: string[] }).files).toContain('schemas')
})

function enumsIn(value: unknown): { name: string; default: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const nested = Object.values(value).flatMap(enumsIn)
  return 'symbols' in value
    ? [value as unknown as { name: string; default: string }, ...nested]
    : nested
}
