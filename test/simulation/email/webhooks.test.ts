import { expect, test } from 'vitest'
import type { EffectDefinition } from '../../../src/effects/effect.ts'
import type { WebhookRequest } from '../../../src/sinks/webhook-request.ts'
import type { EffectNode, Topology, TopologyNode } from '../../../src/topology/topology.ts'
import type { Alteration } from './alterations.ts'
import { liveThrough } from './chaos.ts'
import { brokenPromises } from './promises.ts'
import { Reached } from './reached.ts'

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

test('every callback with a URL arrives or is a dead letter, whatever breaks', async () => {
  const failures: string[] = []
  const reached = new Reached()
  let taken = 0
  let repeated = 0
  for (const seed of seeds) {
    const world = await liveThrough(seed, { withWebhooks: true })
    reached.add(world.reached)
    taken += world.receiver.taken.size
    repeated += [...world.receiver.taken.values()].filter(bodies => bodies.length > 1).length
    failures.push(...(await brokenPromises(world)).map(each => `seed ${seed}: ${each}`))
  }

  expect(failures).toEqual([])
  expect(taken).toBeGreaterThan(250)
  expect(repeated).toBeGreaterThan(0)
  expect(pathsThatMatter.filter(path => !reached.counts.has(path))).toEqual([])
})

const pathsThatMatter = [
  'webhook unreachable',
  'webhook silence',
  'webhook 500',
  'webhook 410',
  'dead-letter WEBHOOK_REFUSED',
  'dead-letter WEBHOOK_UNDELIVERED',
]

/** Another definition of the webhook effect. */
const withDefinition = (
  change: (definition: EffectDefinition<WebhookRequest>) => EffectDefinition<WebhookRequest>,
): Alteration => ({
  topology: topology =>
    withNodes(topology, node =>
      node.kind === 'effect' && node.name === 'webhook'
        ? ({ ...node, definition: change(node.definition as never) } satisfies EffectNode)
        : node,
    ),
})

function withNodes(topology: Topology, change: (node: TopologyNode) => TopologyNode): Topology {
  return {
    ...topology,
    nodes: topology.nodes.map(change),
    subTopologies: topology.subTopologies.map(each => ({ ...each, nodes: each.nodes.map(change) })),
  }
}

let bodies = 0

test.each<{ bug: string; alteration: Alteration }>([
  {
    bug: 'what cannot be delivered is forgotten',
    alteration: withDefinition(definition => ({ ...definition, deadLetter: () => null })),
  },
  {
    bug: 'a webhook that is in doubt is taken for delivered',
    alteration: withDefinition(definition => ({
      ...definition,
      plan: (request, record) => ({ ...definition.plan(request, record), inDoubt: 'hold' }),
      deadLetter: end => (end.kind === 'in-doubt' ? null : definition.deadLetter!(end)),
    })),
  },
  {
    bug: 'every try makes the body anew',
    alteration: withDefinition(({ sink, ...definition }) => ({
      ...definition,
      sink: {
        concurrencyMax: sink.concurrencyMax,
        prepare: (attempt, signal) => {
          const body = attempt.request.body.replace('}}', `},"try":${(bodies += 1)}}`)
          return sink.prepare({ ...attempt, request: { ...attempt.request, body } }, signal)
        },
        close: () => sink.close(),
        [Symbol.asyncDispose]: () => sink.close(),
      },
    })),
  },
])('noticed: $bug', async ({ alteration }) => {
  let broken: string[] = []

  for (let seed = 1; seed <= 200 && broken.length === 0; seed += 1)
    broken = await brokenPromises(await liveThrough(seed, { alteration, withWebhooks: true }))

  expect(broken).not.toEqual([])
})
