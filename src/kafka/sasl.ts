import type { Connection } from '@platformatic/kafka'
import { saslAuthenticateV2, saslHandshakeV1, saslPlain, saslScramSha } from './wire-library.ts'
import type { SaslOptions } from './options.ts'

/** Returns after how many milliseconds it has to be done again (KIP-368); 0: never. */
export async function authenticate(connection: Connection, sasl: SaslOptions): Promise<number> {
  const { mechanism, username, password } = sasl
  await saslHandshakeV1.api.async(connection, mechanism)
  const { sessionLifetimeMs } =
    mechanism === 'PLAIN'
      ? await saslPlain.authenticate(saslAuthenticateV2.api, connection, username, password)
      : await saslScramSha.authenticate(
          saslAuthenticateV2.api,
          connection,
          mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512',
          username,
          password,
        )
  return Number(sessionLifetimeMs)
}
