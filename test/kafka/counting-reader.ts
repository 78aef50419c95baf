import type { FetchedBatch } from '../../src/runtime/ports.ts'
import type { ContractScene } from '../contract/cluster-world.ts'

/** Reads what a `CountingWorker` has committed, from the beginning, as it comes. */
export class CountingReader {
  readonly #scene: ContractScene
  readonly #seen: number[][]

  constructor(scene: ContractScene, partitions: number) {
    this.#scene = scene
    this.#seen = Array.from({ length: partitions }, () => [])
    const fetcher = scene.fetcher()
    const take = (batch: FetchedBatch): void => {
      for (const record of batch.records) this.#seen[batch.partition]?.push(Number(record.value))
    }
    fetcher.onReady(() => fetcher.poll().forEach(take))
    for (let partition = 0; partition < partitions; partition += 1)
      fetcher.assign({ topic: scene.topic, partition }, 0)
  }

  /** As much has come as the numbers below `next` are. */
  async untilSeen(next: number): Promise<void> {
    await this.#scene.world.until(() =>
      this.#seen.every((each, partition) => each.length >= expected(next, partition).length),
    )
  }

  /** Partitions in which something is missing, twice or out of order, with what they hold. */
  wrong(next: number): readonly { readonly partition: number; readonly seen: readonly number[] }[] {
    return this.#seen.flatMap((seen, partition) =>
      String(seen) === String(expected(next, partition)) ? [] : [{ partition, seen }],
    )
  }
}

/** Each transaction writes its number to every partition, and to the first one twice. */
function expected(next: number, partition: number): number[] {
  const numbers = Array.from({ length: next }, (_, index) => index)
  return partition === 0 ? numbers.flatMap(each => [each, each]) : numbers
}
