import type { Clock } from '../clock.ts'
import { StreamsError } from '../errors.ts'
import type { KafkaOptions, SaslOptions } from '../kafka/options.ts'
import type { Logger } from '../log.ts'
import type { Configuration } from './configuration.ts'
import { hostPortText } from './parsers.ts'
import { readConfiguredFile, secretOf } from './secrets.ts'

/** How to reach the cluster, with files and secrets read. Throws CONFIGURATION_INVALID where keys do not go together. */
export async function kafkaOptions(
  configuration: Configuration,
  clock: Clock,
  log: Logger,
): Promise<KafkaOptions> {
  const [tls, sasl] = [await tlsOptions(configuration), await saslOptions(configuration)]
  return {
    bootstrapBrokers: configuration.kafka.map(hostPortText),
    clientId: configuration.applicationId,
    clock,
    log,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

async function tlsOptions(
  configuration: Configuration,
): Promise<NonNullable<KafkaOptions['tls']> | undefined> {
  const {
    kafkaTls,
    kafkaTlsCaFile: caFile,
    kafkaTlsCertFile: certFile,
    kafkaTlsKeyFile: keyFile,
  } = configuration
  const files = [caFile, certFile, keyFile].some(file => file !== undefined)
  if (!(kafkaTls ?? files)) {
    if (files)
      throw invalid('kafka.tls.enabled is false, but there are other kafka.tls keys: take them out')
    return undefined
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw invalid('kafka.tls.cert-file and kafka.tls.key-file belong together: give both or none')
  }
  return {
    ...(caFile === undefined ? {} : { ca: await readConfiguredFile('kafka.tls.ca-file', caFile) }),
    ...(certFile === undefined
      ? {}
      : { cert: await readConfiguredFile('kafka.tls.cert-file', certFile) }),
    ...(keyFile === undefined
      ? {}
      : { key: await readConfiguredFile('kafka.tls.key-file', keyFile) }),
  }
}

async function saslOptions(configuration: Configuration): Promise<SaslOptions | undefined> {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username } = configuration
  const { kafkaSaslPassword, kafkaSaslPasswordFile } = configuration
  const password = await secretOf('kafka.sasl.password', kafkaSaslPassword, kafkaSaslPasswordFile)
  if (mechanism === undefined && username === undefined && password === undefined) return undefined
  if (mechanism === undefined)
    throw invalid('kafka.sasl.mechanism is missing: PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512')
  if (username === undefined) throw invalid('kafka.sasl.username is missing')
  if (password === undefined)
    throw invalid('kafka.sasl.password or kafka.sasl.password-file is missing')
  return { mechanism, username, password: password.reveal() }
}

function invalid(message: string): StreamsError {
  return new StreamsError('CONFIGURATION_INVALID', message)
}
