import { expect, test } from 'vitest'
import type { ContractScene } from './cluster-world.ts'
import type { OpenScene } from './kafka-cluster-contract.ts'

async function committed(scene: ContractScene) {
  const offsets = await scene.settle(
    scene.cluster.admin.committedOffsets(scene.groupId, [scene.at]),
  )
  return offsets.get(`${scene.topic}/0`)
}

export function idempotentContract(open: OpenScene): void {
  test('records are there for readers of committed records once they are acknowledged, one behind the other', async () => {
    const scene = await open()
    const producer = await scene.idempotentProducer()

    const [first] = await scene.settle(producer.send([scene.record('1'), scene.record('2')]))
    const seen = await scene.values()
    const [second] = await scene.settle(producer.send([scene.record('3')]))

    expect(seen).toEqual(['1', '2'])
    expect(first).toEqual({ ...scene.at, firstOffset: 0, lastOffset: 1 })
    // No marker lies between.
    expect(second).toEqual({ ...scene.at, firstOffset: 2, lastOffset: 2 })
    expect(await scene.values()).toEqual(['1', '2', '3'])
  })

  test('offsets are committed at once, with their metadata', async () => {
    const scene = await open()
    const producer = await scene.idempotentProducer()
    const member = scene.member()
    await scene.settle(scene.join(member))

    for (const offset of [7, 8])
      await scene.settle(
        producer.commitOffsets(
          [{ ...scene.at, offset, metadata: `i:${offset}` }],
          member.generation!,
        ),
      )

    expect(await committed(scene)).toEqual({ offset: 8, metadata: 'i:8' })
  })

  test('offsets of a generation that is over, or of a stranger, are refused', async () => {
    const scene = await open()
    const producer = await scene.idempotentProducer()
    const first = scene.member()
    await scene.settle(scene.join(first))
    const old = first.generation!
    await scene.settle(first.leave(true))
    const second = scene.member()
    await scene.settle(scene.join(second))
    const stranger = { ...second.generation!, memberId: 'nobody' }

    for (const generation of [old, stranger]) {
      const refused = producer.commitOffsets(
        [{ ...scene.at, offset: 9, metadata: 'zombie:1' }],
        generation,
      )
      await expect(scene.settle(refused)).rejects.toMatchObject({ code: 'GROUP_FENCED' })
      await scene.settle(producer.init())
    }
    expect(await committed(scene)).toBeUndefined()
  })

  test('the first init ends the transaction that a producer of the same name has left open, and fences it', async () => {
    const scene = await open()
    const left = await scene.producer()
    await scene.settle(left.send([scene.record('never committed')]))

    const producer = await scene.idempotentProducer()
    await scene.settle(producer.send([scene.record('after')]))

    expect(await scene.values()).toEqual(['after'])
    await expect(scene.settle(left.commit())).rejects.toMatchObject({ code: 'TRANSACTION_FENCED' })
  })

  test('a failure leaves a producer that begins anew with init, and only so', async () => {
    const scene = await open({ 'max.message.bytes': '2000' })
    const producer = await scene.idempotentProducer()
    await scene.settle(producer.send([scene.record('before')]))
    const tooLarge = producer.send([scene.record('x'.repeat(5000))])

    await expect(scene.settle(tooLarge)).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
    await expect(scene.settle(producer.send([scene.record('no')]))).rejects.toMatchObject({
      code: 'INTERNAL',
    })
    await scene.settle(producer.init())
    await scene.settle(producer.send([scene.record('after')]))

    expect(await scene.values()).toEqual(['before', 'after'])
  })
}
