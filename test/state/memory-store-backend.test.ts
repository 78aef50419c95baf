import { MemoryStoreBackend } from '../../src/state/memory-store-backend.ts'
import { storeContract } from '../contract/store-contract.ts'

storeContract('memory', async () => new MemoryStoreBackend())
