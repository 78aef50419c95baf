const urlCharactersMax = 2048

/** Where a webhook goes, taken apart. */
export interface WebhookEndpoint {
  readonly secure: boolean
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** Path and query. */
  readonly target: string
  /** HOST or HOST:PORT, as the Host header and people write it. */
  readonly authority: string
}

/** Reads the URL of a receiver; for one that cannot be used, the reason in words. */
export function webhookEndpoint(text: string, allowsHttp: boolean): WebhookEndpoint | string {
  if (text.length > urlCharactersMax) return `the URL has more than ${urlCharactersMax} characters`
  const url = URL.parse(text)
  if (url === null || url.hostname === '') return 'it is no URL such as https://HOST/PATH'
  const { protocol, username, password, hostname, port, pathname, search, host } = url
  if (protocol !== 'https:' && protocol !== 'http:') return `it is no https:// URL but ${protocol}`
  if (protocol === 'http:' && !allowsHttp) return 'http:// is not allowed: use https://'
  if (username !== '' || password !== '') return 'a URL with a user or a password is not allowed'
  const secure = protocol === 'https:'
  return {
    secure,
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    target: pathname + search,
    authority: host,
  }
}
