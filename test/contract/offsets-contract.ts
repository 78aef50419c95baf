import { expect, test } from 'vitest'
import type { GroupGeneration } from '../../src/runtime/ports.ts'
import type { ContractScene } from './cluster-world.ts'
import type { OpenScene } from './kafka-cluster-contract.ts'

/** What the group has committed of the scene's first partition. */
async function committed(scene: ContractScene) {
  const offsets = await scene.settle(
    scene.cluster.admin.committedOffsets(scene.groupId, [scene.at]),
  )
  return offsets.get(`${scene.topic}/0`)
}

async function joined(scene: ContractScene): Promise<GroupGeneration> {
  const member = scene.member()
  await scene.settle(scene.join(member))
  return member.generation!
}

export function offsetsContract(open: OpenScene): void {
  test('are missing until committed, and carry their metadata', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)
    const before = await committed(scene)

    await scene.settle(
      producer.addOffsets([{ ...scene.at, offset: 7, metadata: 'incarnation:1' }], generation),
    )
    await scene.settle(producer.commit())

    expect(before).toBeUndefined()
    expect(await committed(scene)).toEqual({ offset: 7, metadata: 'incarnation:1' })
  })

  test('of all partitions are committed at once, together with the records', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)
    const partitions = [0, 1, 2].map(partition => ({ topic: scene.topic, partition }))

    await scene.settle(producer.send([scene.record('output')]))
    await scene.settle(
      producer.addOffsets(
        partitions.map((at, index) => ({ ...at, offset: 10 + index, metadata: `m:${index}` })),
        generation,
      ),
    )
    await scene.settle(producer.commit())

    const offsets = await scene.settle(
      scene.cluster.admin.committedOffsets(scene.groupId, partitions),
    )
    expect([...offsets.values()].map(each => each.offset).toSorted((a, b) => a - b)).toEqual([
      10, 11, 12,
    ])
    expect(await scene.values()).toEqual(['output'])
  })

  test('of an aborted transaction leave the old ones', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)
    await scene.settle(
      producer.addOffsets([{ ...scene.at, offset: 7, metadata: 'i:1' }], generation),
    )
    await scene.settle(producer.commit())

    await scene.settle(
      producer.addOffsets([{ ...scene.at, offset: 8, metadata: 'i:2' }], generation),
    )
    await scene.settle(producer.abort())

    expect(await committed(scene)).toEqual({ offset: 7, metadata: 'i:1' })
  })

  test('are stable: whoever asks while a transaction is open waits for its end', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)
    await scene.settle(
      producer.addOffsets([{ ...scene.at, offset: 7, metadata: 'i:1' }], generation),
    )
    let answered = false
    const asked = scene.connect().admin.committedOffsets(scene.groupId, [scene.at])
    void asked.then(() => void (answered = true))

    // The other questions are answered meanwhile.
    for (let round = 0; round < 5; round += 1) await scene.endOffset()
    const early = answered
    await scene.settle(producer.commit())

    expect(early).toBe(false)
    expect((await scene.settle(asked)).get(`${scene.topic}/0`)).toEqual({
      offset: 7,
      metadata: 'i:1',
    })
  })

  test('right after a commit are never the old ones', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)

    for (let offset = 1; offset <= 10; offset += 1) {
      await scene.settle(
        producer.addOffsets([{ ...scene.at, offset, metadata: `i:${offset}` }], generation),
      )
      await scene.settle(producer.commit())
      expect(await committed(scene)).toEqual({ offset, metadata: `i:${offset}` })
    }
  })

  test('of a generation that is over are refused, and the transaction can be aborted', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const first = scene.member()
    await scene.settle(scene.join(first))
    const old = first.generation!
    await scene.settle(first.leave(true))
    await joined(scene)

    await scene.settle(producer.send([scene.record('zombie')]))
    const refused = producer.addOffsets([{ ...scene.at, offset: 9, metadata: 'zombie:1' }], old)

    await expect(scene.settle(refused)).rejects.toMatchObject({ code: 'GROUP_FENCED' })
    await scene.settle(producer.abort())
    expect(await committed(scene)).toBeUndefined()
    expect(await scene.values()).toEqual([])
  })

  test('of a member that the group does not know are refused', async () => {
    const scene = await open()
    const producer = await scene.producer()
    const generation = await joined(scene)
    const stranger = { ...generation, memberId: 'nobody' }

    const refused = producer.addOffsets([{ ...scene.at, offset: 9, metadata: 'x:1' }], stranger)

    await expect(scene.settle(refused)).rejects.toMatchObject({ code: 'GROUP_FENCED' })
  })
}
