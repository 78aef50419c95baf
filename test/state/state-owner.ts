import { silentLogger } from '../../src/log.ts'
import { openStateDirectory } from '../../src/state/state-directory.ts'
import { errorCodeOf } from '../../src/errors.ts'

/** A process that owns the state directory until it is killed, or its parent is gone. */
process.on('disconnect', () => process.exit())
const [path = '', applicationId = ''] = process.argv.slice(2)
try {
  const directory = await openStateDirectory({ path, applicationId, log: silentLogger })
  await directory.remember('instance-id', () => 'made by the owner')
  process.send?.('owner')
} catch (error) {
  process.send?.(errorCodeOf(error) ?? String(error))
}
