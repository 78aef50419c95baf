import { testCertificate, testPrivateKey } from '../smtp/test-certificate.ts'

/** One smtpd of the same Postfix for each, on a port of its own. */
export const postfixDoors = [
  'plain',
  'starttls',
  'auth',
  'auth-over-tls',
  'small',
  'ascii',
  'few',
] as const

export type PostfixDoor = (typeof postfixDoors)[number]

/** What the `auth` doors know: user, realm and password. */
export const postfixLogin = { user: 'ann', realm: 'postfix.test', password: 'pass/wörd' } as const

/** The SIZE of the door `small`, bytes. */
const postfixSizeMax = 20_000

/** What each door does otherwise than the others; see postconf(5). */
const differences: Readonly<Record<PostfixDoor, readonly string[]>> = {
  plain: [],
  starttls: ['smtpd_tls_security_level=may'],
  auth: ['smtpd_sasl_auth_enable=yes', 'smtpd_recipient_restrictions=$only_after_login'],
  'auth-over-tls': [
    'smtpd_tls_security_level=may',
    'smtpd_tls_auth_only=yes',
    'smtpd_sasl_auth_enable=yes',
    'smtpd_recipient_restrictions=$only_after_login',
  ],
  small: [`message_size_limit=${postfixSizeMax}`],
  // Recipients of one transaction.
  few: ['smtpd_recipient_limit=3'],
  ascii: ['smtpd_discard_ehlo_keywords=smtputf8,8bitmime,dsn,chunking'],
}

/** The files of its configuration directory, by name. */
export function postfixFiles(
  directory: string,
  ports: Readonly<Record<PostfixDoor, number>>,
  mailUser: number,
  returnsPort: number | undefined,
): Readonly<Record<string, string>> {
  return {
    'main.cf': mainFile(directory, mailUser, returnsPort),
    'master.cf': masterFile(ports),
    'certificate.pem': testCertificate,
    'key.pem': testPrivateKey,
    'sasl/smtpd.conf': [
      'pwcheck_method: auxprop',
      'auxprop_plugin: sasldb',
      `sasldb_path: ${directory}/config/sasl/users`,
      'mech_list: PLAIN LOGIN',
      '',
    ].join('\n'),
  }
}

function mainFile(directory: string, mailUser: number, returnsPort: number | undefined): string {
  const returns =
    returnsPort === undefined
      ? ''
      : `, { returns@example.org = lmtp:inet:127.0.0.1:${returnsPort} }`
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${directory}/queue`,
    `data_directory = ${directory}/data`,
    `maillog_file = ${directory}/log`,
    `maillog_file_prefixes = ${directory}`,
    'inet_interfaces = 127.0.0.1',
    'inet_protocols = ipv4',
    'myhostname = postfix.test',
    'mynetworks = 127.0.0.0/8',
    // Every address is at home here, and its mail is left as it came.
    'mydestination =',
    'alias_maps =',
    'virtual_mailbox_domains = static:any',
    'virtual_mailbox_maps = static:box/',
    `virtual_mailbox_base = ${directory}/mail`,
    `virtual_uid_maps = static:${mailUser}`,
    `virtual_gid_maps = static:${mailUser}`,
    'local_header_rewrite_clients =',
    // Found out too late to be said at RCPT.
    `transport_maps = inline:{ { bounced@example.com = nobody: }${returns} }`,
    // Whoever is told to come again does so at once.
    'queue_run_delay = 1s',
    'minimal_backoff_time = 1s',
    'maximal_backoff_time = 1s',
    'smtpd_sender_restrictions = check_sender_access inline:{ { unwelcome@example.org = 550 5.7.1 not from you } }',
    'smtpd_recipient_restrictions = $known_recipients',
    'known_recipients = check_recipient_access inline:{ { refused@example.com = 550 5.1.1 no such person }, { deferred@example.com = 450 4.2.0 come back later } }',
    'only_after_login = permit_sasl_authenticated, reject',
    'smtpd_relay_restrictions = permit_mynetworks, reject',
    'smtpd_tls_cert_file = $config_directory/certificate.pem',
    'smtpd_tls_key_file = $config_directory/key.pem',
    'cyrus_sasl_config_path = $config_directory/sasl',
    `smtpd_sasl_local_domain = ${postfixLogin.realm}`,
    // Nothing is slowed down, however often a test provokes it.
    'smtpd_client_event_limit_exceptions = static:all',
    'smtpd_error_sleep_time = 0',
    'smtpd_hard_error_limit = 1000',
    '',
  ].join('\n')
}

function masterFile(ports: Readonly<Record<PostfixDoor, number>>): string {
  const doors = postfixDoors.map(door => {
    const options = differences[door].map(option => ` -o ${option}`).join('')
    return `127.0.0.1:${ports[door]} inet n - n - - smtpd${options}`
  })
  return [
    ...doors,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'lmtp unix - - n - - lmtp',
    'proxymap unix - - n - - proxymap',
    'virtual unix - n n - - virtual',
    'nobody unix - n n - - pipe user=nobody argv=/bin/sh -c {exit 67}',
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n')
}
