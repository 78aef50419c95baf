import { expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { deliver } from '../../src/effects/delivery-machine.ts'
import { MemoryTerminal } from '../cli/memory-terminal.ts'
import { policy } from '../effects/delivery-fixture.ts'
import { deliveryEvents, deliveryStates } from './delivery-table.ts'
import { blocksOf, markdownPage, tableBelow } from './markdown-page.ts'

const page = markdownPage('docs/design.md')

async function topology(format: string): Promise<string> {
  const terminal = new MemoryTerminal({}, [])
  await main(['topology', '--format', format], terminal)
  return `${terminal.printed.join('\n')}\n`
}

test('docs/design.md shows the topology as `mailonce topology` describes it', async () => {
  expect(blocksOf(page, 'text')).toContain(await topology('text'))
})

test('docs/design.md draws the topology as `mailonce topology --format mermaid` does', async () => {
  expect(blocksOf(page, 'mermaid')).toContain(await topology('mermaid'))
})

/** What the machine makes of one event in one state, in the words of the page. */
function cell(
  stateName: keyof typeof deliveryStates,
  eventName: keyof typeof deliveryEvents,
): string {
  const from = deliveryStates[stateName]
  try {
    const { delivery, end } = deliver(from, deliveryEvents[eventName], policy)
    if (end !== null) return `ends \`${end}\``
    if (delivery === from) return '–'
    return delivery.state === from.state ? 'noted' : delivery.state.kind
  } catch {
    return 'bug'
  }
}

test('the table in docs/design.md is what the delivery machine does', () => {
  const states = Object.keys(deliveryStates) as (keyof typeof deliveryStates)[]
  const events = Object.keys(deliveryEvents) as (keyof typeof deliveryEvents)[]

  const rows = events.map(event =>
    [event as string].concat(states.map(state => cell(state, event))),
  )

  expect(tableBelow(page, '### What each event does')).toEqual([['event', ...states], ...rows])
})
