import { afterAll, afterEach, beforeAll, describe } from 'vitest'
import { adminContract } from './admin-contract.ts'
import { ContractScene, type ClusterWorld } from './cluster-world.ts'
import { fetcherContract } from './fetcher-contract.ts'
import { idempotentContract } from './idempotent-contract.ts'
import { memberContract } from './member-contract.ts'
import { offsetsContract } from './offsets-contract.ts'
import { transactionContract } from './transaction-contract.ts'

/** Makes the scene of one test; it is closed behind it. */
export type OpenScene = (configs?: Readonly<Record<string, string>>) => Promise<ContractScene>

/** What `src/runtime/ports.ts` promises, for every implementation of it; knows no wire. */
export function kafkaClusterContract(name: string, openWorld: () => Promise<ClusterWorld>): void {
  describe(`kafka contract: ${name}`, () => {
    let world: ClusterWorld
    const scenes: ContractScene[] = []
    const open: OpenScene = async configs => {
      const scene = await ContractScene.open(world, configs)
      scenes.push(scene)
      return scene
    }
    beforeAll(async () => {
      world = await openWorld()
    })
    afterEach(async () => {
      for (const scene of scenes.splice(0)) await scene.close()
    })
    afterAll(() => world.close())

    describe('transactions', () => {
      transactionContract(open)
    })
    describe('without transactions', () => {
      idempotentContract(open)
    })
    describe('offsets', () => {
      offsetsContract(open)
    })
    describe('fetching', () => {
      fetcherContract(open)
    })
    describe('membership', () => {
      memberContract(open)
    })
    describe('administration', () => {
      adminContract(open)
    })
  })
}
