import { filePath, onOff, oneOf, secretText, textLike } from './parsers.ts'

/** How the brokers are talked to. */
export const kafkaSettings = {
  kafkaTls: {
    path: 'kafka.tls.enabled',
    shorthand: 'kafka.tls',
    parser: onOff,
    defaultText: 'true when another kafka.tls key is set, else false',
    help: 'Talks TLS to the brokers and checks their certificates.',
  },
  kafkaTlsCaFile: {
    path: 'kafka.tls.ca-file',
    parser: filePath('FILE'),
    help: 'Certificates to trust, PEM, instead of the well-known ones.',
  },
  kafkaTlsCertFile: {
    path: 'kafka.tls.cert-file',
    parser: filePath('FILE'),
    help: 'Own certificate, PEM, for brokers that ask for one.',
  },
  kafkaTlsKeyFile: {
    path: 'kafka.tls.key-file',
    parser: filePath('FILE'),
    help: 'Key of the own certificate, PEM.',
  },
  kafkaSaslMechanism: {
    path: 'kafka.sasl.mechanism',
    parser: oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'),
    help: 'How to log in to the brokers; without it nobody logs in.',
  },
  kafkaSaslUsername: {
    path: 'kafka.sasl.username',
    parser: textLike('NAME', /^[^\0\r\n]+$/, 'a user name'),
    help: 'User at the brokers.',
  },
  kafkaSaslPassword: {
    path: 'kafka.sasl.password',
    parser: secretText,
    help: 'Password at the brokers.',
  },
  kafkaSaslPasswordFile: {
    path: 'kafka.sasl.password-file',
    parser: filePath('FILE'),
    help: 'File with the password at the brokers.',
  },
} as const
