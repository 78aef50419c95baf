import { DevEnvironment } from '../../src/dev/dev-environment.ts'
import { testCertificate, testPrivateKey } from '../support/smtp/test-certificate.ts'
import { kafkaTool } from './java-tools.ts'

export const user = Object.freeze({ username: 'processor', password: 'right-password' })

const login = (module: string, more: string): string =>
  `org.apache.kafka.common.security.${module} required ${more};`

/**
 * One broker that speaks TLS, wants a password and asks its access lists about everything. Our user may use what
 * begins with `contract-`, and nothing of the cluster itself. The clear-text listener is for the broker's own
 * administration.
 */
export async function startSecured(): Promise<DevEnvironment> {
  const environment = await DevEnvironment.start({
    environment: process.env,
    schemaRegistry: false,
    kafka: {
      listeners: ['SASL_SSL'],
      formatArguments: [
        '--add-scram',
        `SCRAM-SHA-512=[name=${user.username},password=${user.password}]`,
      ],
      properties: () => ({
        'sasl.enabled.mechanisms': 'SCRAM-SHA-512,PLAIN',
        // Whoever does not renew its session in time is cut off (KIP-368).
        'connections.max.reauth.ms': '1000',
        'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': login(
          'scram.ScramLoginModule',
          '',
        ),
        'listener.name.sasl_ssl.plain.sasl.jaas.config': login(
          'plain.PlainLoginModule',
          `user_${user.username}="${user.password}"`,
        ),
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.key': testPrivateKey,
        'ssl.keystore.certificate.chain': testCertificate,
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': testCertificate,
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      }),
    },
  })
  const administration = environment.kafka.bootstrapServers()
  const allow = (rights: string): Promise<string> =>
    kafkaTool(
      'org.apache.kafka.tools.AclCommand',
      `--bootstrap-server ${administration} --add --allow-principal User:${user.username} ` +
        `--resource-pattern-type prefixed ${rights}`,
    )
  const topicRights = ['Read', 'Write', 'Describe', 'Create', 'DescribeConfigs']
  await allow(`${topicRights.map(right => `--operation ${right}`).join(' ')} --topic contract-`)
  await allow('--operation Read --operation Describe --group contract-')
  await allow('--operation Write --operation Describe --transactional-id contract-')
  return environment
}
