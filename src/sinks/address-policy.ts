import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { StreamsError } from '../errors.ts'

/** What is not of the public Internet (IANA's special-purpose registry), and the metadata service that hides behind a public address. */
const forbidden4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carriers' NAT (RFC 6598), metadata services too
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // the host of an Azure machine
  '169.254.0.0/16', // link-local, metadata services
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]

/** The only ones that are routed; everything else is private, local, multicast or not assigned. */
const public6 = ['2000::/3']

const forbidden6 = [
  '2001::/23', // protocol assignments, Teredo among them
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4 leads to any IPv4 address
  '3fff::/20', // documentation
]

/** Prefixes that hold an IPv4 address in their last 32 bits: mapped ones, and NAT64 (RFC 6052). */
const embedding6 = ['::ffff:0:0/96', '64:ff9b::/96']

/** Says which addresses a sink may connect to: those of the public Internet, and what is allowed by name. */
export class AddressPolicy {
  readonly #allowed: BlockList
  readonly #forbidden = blockList([...forbidden4, ...forbidden6])
  readonly #public6 = blockList(public6)
  readonly #embedding = blockList(embedding6)

  /** @param allowed Networks such as `10.1.0.0/16` or `fd00::/8`. Throws CONFIGURATION_INVALID. */
  constructor(allowed: readonly string[]) {
    this.#allowed = blockList(allowed)
  }

  /** Of an address as a resolver gives it, in any of its notations. */
  mayConnectTo(address: string): boolean {
    const bare = address.replace(/%.*$/, '')
    if (isIPv4(bare)) return this.#mayConnectTo4(bare)
    if (!isIPv6(bare)) return false
    if (this.#allowed.check(bare, 'ipv6')) return true
    const words = wordsOf(bare)
    if (isIn(this.#embedding, words)) return this.#mayConnectTo4(lastAddress4(words))
    return isIn(this.#public6, words) && !isIn(this.#forbidden, words)
  }

  #mayConnectTo4(address: string): boolean {
    return this.#allowed.check(address, 'ipv4') || !this.#forbidden.check(address, 'ipv4')
  }
}

function isIn(list: BlockList, words: readonly number[]): boolean {
  return list.check(words.map(word => word.toString(16)).join(':'), 'ipv6')
}

/** The eight words of a valid address, whatever its notation: the URL parser knows them all. */
function wordsOf(address: string): number[] {
  const { hostname } = new URL(`http://[${address}]/`)
  const [head = '', tail] = hostname.slice(1, -1).split('::')
  const [before, after] = [wordsIn(head), wordsIn(tail ?? '')]
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
}

function wordsIn(part: string): number[] {
  return part === '' ? [] : part.split(':').map(word => Number.parseInt(word, 16))
}

function lastAddress4(words: readonly number[]): string {
  return words
    .slice(6)
    .flatMap(word => [word >> 8, word & 255])
    .join('.')
}

/** Whether a text is a network such as `10.1.0.0/16` or `fd00::/8`. */
export function isNetwork(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/')
  const family = isIP(address)
  return (
    family !== 0 &&
    rest.length === 0 &&
    /^\d{1,3}$/.test(bits) &&
    Number(bits) <= (family === 4 ? 32 : 128)
  )
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    if (!isNetwork(network))
      throw new StreamsError(
        'CONFIGURATION_INVALID',
        `${JSON.stringify(network)} is no network such as 10.1.0.0/16 or fd00::/8`,
      )
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), isIPv4(address) ? 'ipv4' : 'ipv6')
  }
  return list
}
