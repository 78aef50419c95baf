import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { FaultProxy } from './fault-proxy.ts'

export interface ProxiedEnvironment extends AsyncDisposable {
  readonly proxy: FaultProxy
  readonly bootstrapServers: string
}

/**
 * One broker that tells its clients to come through the proxy; a transaction that takes too long is aborted within
 * 200 ms.
 */
export async function startProxied(transactionVersion: 1 | 2): Promise<ProxiedEnvironment> {
  const proxy = await FaultProxy.start()
  const environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: {
      formatArguments: ['--feature', `transaction.version=${transactionVersion}`],
      properties: () => ({
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxy.port}`,
        'transaction.abort.timed.out.transaction.cleanup.interval.ms': '200',
      }),
    },
  })
  proxy.forwardTo(Number(environment.kafka.bootstrapServers().split(':')[1]))
  return {
    proxy,
    bootstrapServers: `127.0.0.1:${proxy.port}`,
    [Symbol.asyncDispose]: async () => {
      await proxy.close()
      await environment[Symbol.asyncDispose]()
    },
  }
}
