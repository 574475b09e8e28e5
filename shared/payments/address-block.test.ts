import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isAddressBlock, isWithin } from './address-block.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1/32'],
  ['192.0.2.255', '192.0.2.0/24'],
  ['192.0.2.200', '192.0.2.129/25'],
  ['8.8.8.8', '0.0.0.0/0'],
  ['::ffff:192.0.2.1', '192.0.2.0/24'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8::1', '2001:db8::/32'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
  ['::1', '::/0'],
  ['::', '::/128'],
])('%s lies in %s', (address, block) => {
  expect(isWithin(address, block)).toBe(true);
});

test.each([
  ['192.0.2.2', '192.0.2.1'],
  ['192.0.3.0', '192.0.2.0/24'],
  ['192.0.2.127', '192.0.2.129/25'],
  ['2001:db9::1', '2001:db8::/32'],
  ['192.0.2.1', '::/0'],
  ['::1', '0.0.0.0/0'],
  ['unknown', '0.0.0.0/0'],
  ['', '::/0'],
  ['192.0.2.1:443', '192.0.2.0/24'],
  ['192.0.2.1, 10.0.0.1', '0.0.0.0/0'],
])('%s does not lie in %s', (address, block) => {
  expect(isWithin(address, block)).toBe(false);
});

test.each([
  '10.0.0.0/8',
  '10.0.0.1',
  '10.0.0.0/0',
  '::1',
  '2001:db8::/128',
  'fe80::1:2:3:4/64',
  '1:2:3:4:5:6:7:8',
])('%s is a block', (block) => expect(isAddressBlock(block)).toBe(true));

test.each([
  ...['', '/', '/8', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/ 8', '10.0.0.0/8x'],
  ...['10.0.0', '10.0.0.256', '10.0.0.0.0', '1000.0.0.1', ' 10.0.0.1', 'example.org', '*'],
  ...[
    '::/129',
    ':::',
    '1::2::3',
    '1:2:3',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8::',
  ],
])('%j is no block', (block) => {
  expect(isAddressBlock(block)).toBe(false);
  expect(isWithin('10.0.0.1', block)).toBe(false);
  expect(isWithin('::1', block)).toBe(false);
});

const dotted = (value: bigint) => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
const grouped = (value: bigint) =>
  Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');

test.each([
  { family: 'ipv4', bits: 32, text: dotted },
  { family: 'ipv6', bits: 128, text: grouped },
] as const)('the platform draws the same lines between blocks of $family', ({ family, bits, text }) => {
  const address = fc.bigInt({ min: 0n, max: 2n ** BigInt(bits) - 1n });
  const bit = fc.integer({ min: 0, max: bits - 1 });
  fc.assert(
    fc.property(address, bit, fc.integer({ min: 0, max: bits }), (network, flipped, prefix) => {
      const list = new BlockList();
      list.addSubnet(text(network), prefix, family);
      for (const given of [network, network ^ (1n << BigInt(flipped))]) {
        expect(isWithin(text(given), `${text(network)}/${prefix}`)).toBe(list.check(text(given), family));
      }
    }),
    { numRuns: 500 },
  );
});

test('any text of hex digits and colons is an address exactly when the platform takes it for one', () => {
  const nearly = fc
    .oneof(fc.ipV6(), fc.stringMatching(/^([0-9a-f]{0,5}:{0,2}){1,9}$/))
    .filter((t) => !t.includes('.'));
  fc.assert(
    fc.property(nearly, (text) => {
      expect(isAddressBlock(text)).toBe(isIP(text) !== 0);
    }),
    { numRuns: 1_000 },
  );
});
