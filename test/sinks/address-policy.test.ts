import { expect, test } from 'vitest'
import { AddressPolicy } from '../../src/sinks/address-policy.ts'

const policy = new AddressPolicy([])

test.each([
  ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
  ['this network and the unspecified', '0.0.0.0', '0.1.2.3', '::'],
  ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd00::1', 'fc00::1'],
  ['link-local', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
  ['metadata', '169.254.169.254', 'fd00:ec2::254', '100.100.100.200', '168.63.129.16'],
  ["carriers' NAT", '100.64.0.1', '100.127.255.255'],
  ['multicast and broadcast', '224.0.0.1', '239.1.1.1', '255.255.255.255', 'ff02::1'],
  ['reserved', '240.0.0.1', '192.0.0.1', '198.18.0.1', '198.19.255.255', '4000::1', 'fec0::1'],
  ['documentation', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  ['IPv4-mapped', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:a00:1'],
  ['IPv4-compatible', '::127.0.0.1', '::7f00:1'],
  ['NAT64', '64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1.1.1.1'],
  ['6to4 and Teredo', '2002:7f00:1::', '2001:0:7f00:1::'],
  ['no address at all', '', 'localhost', '0x7f000001', '127.1', '1.2.3.4.5'],
])('%s is not connected to', (_what, ...addresses) => {
  expect(addresses.filter(address => policy.mayConnectTo(address))).toEqual([])
})

test.each([
  '1.1.1.1',
  '172.32.0.1',
  '100.128.0.1',
  '2606:4700::1111',
  '::ffff:1.1.1.1',
  '64:ff9b::1.1.1.1',
])('%s is of the public Internet', address => {
  expect(policy.mayConnectTo(address)).toBe(true)
})

test('networks are allowed one by one', () => {
  const own = new AddressPolicy(['10.1.0.0/16', 'fd12:3456::/32'])

  expect(
    ['10.1.2.3', '::ffff:10.1.2.3', 'fd12:3456::1'].map(each => own.mayConnectTo(each)),
  ).toEqual([true, true, true])
  expect(['10.2.0.1', '127.0.0.1', 'fd12:3457::1'].map(each => own.mayConnectTo(each))).toEqual([
    false,
    false,
    false,
  ])
})

test.each(['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'localhost/8', '', '10.0.0.0/8/8'])(
  '%j is no network',
  network => {
    expect(() => new AddressPolicy([network])).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
    )
  },
)
