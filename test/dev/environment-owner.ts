import { DevEnvironment } from '../../src/dev/dev-environment.ts'

// Owns an environment until it is killed; prints the environment's directory once everything is up.
const environment = await DevEnvironment.start({ environment: process.env, schemaRegistry: false })
process.stdout.write(`${environment.directory}\n`)
await new Promise(() => undefined)
