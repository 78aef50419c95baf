import { expect, test } from 'vitest'

import { type Random, seededRandom } from '../../src/random.ts'
import { utf8Serde } from '../../src/serde.ts'
import { FilteredBackend } from '../../src/state/filtered-backend.ts'
import { keyNotLoaded } from '../../src/state/key-not-loaded.ts'
import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { OverlaidStore } from '../../src/state/overlaid-store.ts'
import type { StoreDefinition, StoreWrite } from '../../src/state/store.ts'

const definition: StoreDefinition<string> = {
  name: 'words',
  kind: 'memory',
  value: utf8Serde,
  changelogConfigs: {},
}

/** Few, so that each is met in every state. */
const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`)

type Overlay = Map<string, string | undefined>

/** The same as three plain maps, each of which says what is true. */
class Model {
  disk: Overlay = new Map()
  committing: Overlay | undefined
  active: Overlay = new Map()
  beforeMark: Overlay | undefined

  valueOf(key: string): string | undefined {
    for (const overlay of [this.active, this.committing, this.disk])
      if (overlay?.has(key)) return overlay.get(key)
    return undefined
  }
}

interface Run {
  readonly random: Random
  readonly model: Model
  readonly store: OverlaidStore<string>
  readonly backend: FilteredBackend
  writes: readonly StoreWrite[]
  isApplied: boolean
  /** Keys that must be answered: loaded in this era. */
  readonly loaded: Set<string>
  loads: Promise<void>[]
  number: number
}

const pick = <Item>({ random }: Run, items: readonly Item[]): Item =>
  items[Math.floor(random.next() * items.length)]!

function unmark({ model, store }: Run): void {
  store.clearMarks()
  model.beforeMark = undefined
}

/** The steps of a task's life, in any order in which the runtime may take them. */
const steps: Record<string, (run: Run) => void | Promise<void>> = {
  load: async run => {
    const wanted = Array.from({ length: 12 }, () => pick(run, keys))
    await run.store.load(wanted)
    for (const key of wanted) run.loaded.add(key)
  },
  loadBeside: run => void run.loads.push(run.store.load([pick(run, keys), pick(run, keys)])),
  settle: async run => void (await Promise.all(run.loads.splice(0))),
  put: run => {
    const [key, value] = [pick(run, keys), `value ${(run.number += 1)}`]
    run.store.put(key, value)
    run.model.active.set(key, value)
  },
  delete: run => {
    const key = pick(run, keys)
    run.store.delete(key)
    run.model.active.set(key, undefined)
  },
  mark: run => {
    unmark(run)
    run.store.mark()
    run.model.beforeMark = new Map(run.model.active)
  },
  undo: run => {
    if (run.model.beforeMark === undefined) return
    run.store.undoTo(0)
    // What was left out of a load, because it was written, may not be known any more.
    run.loaded.clear()
    run.model.active = run.model.beforeMark
    unmark(run)
  },
  freeze: run => {
    if (run.model.committing) return
    run.writes = run.store.freeze()
    run.model.committing = run.model.active
    run.model.active = new Map()
    run.model.beforeMark = undefined
  },
  /** In the middle of which loads of others may lie, until it is retired. */
  apply: async run => {
    if (run.model.committing === undefined) return
    await run.backend.apply(run.writes, { topicId: 't', offset: (run.number += 1) })
    for (const [key, value] of run.model.committing) run.model.disk.set(key, value)
    run.isApplied = true
  },
  retire: run => {
    if (!run.isApplied) return
    run.store.retire()
    run.model.committing = undefined
    run.isApplied = false
    run.loaded.clear()
  },
  drop: run => {
    if (run.random.next() < 0.7) return
    run.store.drop()
    run.isApplied = false
    run.model.active = new Map()
    run.model.committing = undefined
    run.model.beforeMark = undefined
    run.loaded.clear()
  },
  dropLoaded: run => {
    run.store.dropLoaded()
    run.loaded.clear()
  },
}

/** What it says that is not true, and what it does not say although it was loaded or written. */
function contradictions({ model, store, loaded, writes, random }: Run): string[] {
  const found: string[] = []
  const compare = (what: string, answer: unknown, truth: unknown): void => {
    if (answer !== truth) found.push(`${what} is ${String(answer)}, not ${String(truth)}`)
  }
  for (const key of keys) {
    if (random.next() < 0.5) continue
    const isKnown = model.active.has(key) || model.committing?.has(key) || loaded.has(key)
    if (isKnown || store.isLoaded(key)) compare(key, answerOf(store, key), model.valueOf(key))
  }
  compare('the active size', store.activeSize, model.active.size)
  compare('the committing size', store.committingSize, model.committing?.size ?? 0)
  if (model.committing === undefined) return found
  compare('the writes', writes.length, model.committing.size)
  for (const { key, value } of writes)
    compare(`the write of ${key}`, value?.toString(), model.committing.get(key))
  return found
}

function answerOf(store: OverlaidStore<string>, key: string): string | undefined {
  try {
    return store.get(key)
  } catch (error) {
    if (keyNotLoaded(error)?.key === key) return 'not loaded'
    throw error
  }
}

test.each(Array.from({ length: 100 }, (_, seed) => seed))(
  'answers what is true, whatever happens to a task: seed %i',
  async seed => {
    const random = seededRandom(seed)
    const backend = await FilteredBackend.open(new MemoryStoreBackend())
    const run: Run = {
      random,
      model: new Model(),
      store: new OverlaidStore(definition, backend),
      backend,
      writes: [],
      isApplied: false,
      loaded: new Set(),
      loads: [],
      number: 0,
    }
    const names = Object.keys(steps)
    const found: string[] = []

    for (let step = 0; step < 400; step += 1) {
      const name = random.next() < 0.4 ? 'put' : pick(run, names)
      await steps[name]!(run)
      found.push(...contradictions(run).map(each => `step ${step}, ${name}: ${each}`))
    }
    await Promise.all(run.loads)

    expect(found).toEqual([])
  },
)
