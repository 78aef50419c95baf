import type { MailUnsubscribe } from './mail-request.ts'

/** Long enough for every token, short enough for one line of a header with its name. */
const uriLengthMax = 900

/** RFC 3986's characters without those that would end the brackets (RFC 2369 section 2) or split the list. */
const uri = /^[!#-+\-.-;=?-Z[\]_a-z~]+$/
const mailto = /^[\w!#$%&'*+/=?^{|}~.-]+@[a-z0-9.-]+(\?[\w!$&'*+=.~%:@/?-]+)?$/i

/** Whether `unsubscribe` makes this header: among a request's own headers it would stand there twice. */
export function isUnsubscribeHeader(name: string): boolean {
  return /^list-unsubscribe(-post)?$/i.test(name)
}

/** What is wrong with it, in words that complete "unsubscribe: …", or null. */
export function unsubscribeProblem({
  url,
  mailto: address,
  oneClick,
}: MailUnsubscribe): string | null {
  if (url === null && address === null) return 'there is neither url nor mailto'
  if (url !== null && !isHttpUrl(url)) {
    return 'url is no https:// or http:// URL in plain ASCII of at most 900 characters (commas, quotes, angle brackets and spaces percent-encoded)'
  }
  if (address !== null && (address.length > uriLengthMax || !mailto.test(address))) {
    return 'mailto is no address in plain ASCII, with or without ?subject=… after it'
  }
  if (oneClick && url?.startsWith('https:') !== true) return 'oneClick needs a url with https://'
  return null
}

function isHttpUrl(text: string): boolean {
  return (
    text.length <= uriLengthMax &&
    uri.test(text) &&
    /^https?:\/\/[^/]/.test(text) &&
    URL.canParse(text)
  )
}

/** Name and value of each header. The URL comes first: who knows one click looks for it. */
export function headersToUnsubscribe(unsubscribe: MailUnsubscribe): readonly [string, string][] {
  const { url, mailto: address, oneClick } = unsubscribe
  const ways = [
    ...(url === null ? [] : [`<${url}>`]),
    ...(address === null ? [] : [`<mailto:${address}>`]),
  ]
  const headers: [string, string][] = [['List-Unsubscribe', ways.join(', ')]]
  if (oneClick) headers.push(['List-Unsubscribe-Post', 'List-Unsubscribe=One-Click'])
  return headers
}
