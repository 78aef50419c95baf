import { expect, test } from 'vitest'
import { Cycle } from '../../src/runtime/cycle.ts'
import { RecordList } from '../../src/runtime/record-list.ts'

const record = (value: string) => ({
  topic: 'out',
  partition: 0,
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestampMs: 0,
})

test('what a record produced and counted is taken back to its mark, and nothing else', () => {
  const gathered = new RecordList()
  const cycle = new Cycle(1, gathered)
  cycle.produce(record('first'))
  cycle.count('seen', 1)
  const bytes = cycle.bytes

  const mark = cycle.mark()
  cycle.produce(record('second'))
  cycle.count('seen', 5)
  cycle.count('lost', 1)
  cycle.undoTo(mark)
  cycle.count('kept', 7)

  expect(cycle.gathered).toBe(gathered)
  expect(gathered.records.map(each => String(each.value))).toEqual(['first'])
  expect([...cycle.outputsByTopic]).toEqual([['out', 1]])
  expect(cycle.bytes).toBe(bytes)
  expect([...cycle.counts]).toEqual([
    ['seen', 1],
    ['kept', 7],
  ])
})

test('counts of one name add up', () => {
  const cycle = new Cycle(1, new RecordList())

  cycle.count('seen', 1)
  cycle.count('seen', 2)
  cycle.mark()
  cycle.count('seen', 3)

  expect(cycle.counts.get('seen')).toBe(6)
})

test('records without key and value take room too', () => {
  const cycle = new Cycle(1, new RecordList())

  cycle.produce({ ...record(''), value: null })

  expect(cycle.bytes).toBeGreaterThan(0)
})
