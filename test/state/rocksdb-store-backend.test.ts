import { RocksdbStoreBackend } from '../../src/state/rocksdb-store-backend.ts'
import { storeContract } from '../contract/store-contract.ts'
import { temporaryDirectories } from './temporary-directory.ts'

const makeDirectory = temporaryDirectories()

storeContract('rocksdb', async () => RocksdbStoreBackend.open(await makeDirectory()))
