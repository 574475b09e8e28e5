import { expect, test } from 'vitest';
import { clientAddress } from './client-address.ts';

const proxies = ['10.0.0.0/8', '::1'];

test.each<[what: string, peer: string, forwardedFor: string | null, client: string]>([
  ['nobody in between', '203.0.113.9', null, '203.0.113.9'],
  ['a stranger who claims to pass on', '203.0.113.9', '192.0.2.1', '203.0.113.9'],
  ['one proxy of ours', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['one proxy of ours, seen as IPv6', '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
  ['two proxies of ours', '::1', '203.0.113.9, 10.9.9.9', '203.0.113.9'],
  ['a caller who put an address in front', '10.1.2.3', '192.0.2.1, 203.0.113.9', '203.0.113.9'],
  ['a caller who put a proxy of ours in front', '10.1.2.3', '10.0.0.1, 203.0.113.9', '203.0.113.9'],
  ['a proxy that says nothing', '10.1.2.3', null, '10.1.2.3'],
  ['a proxy that says what is no address', '10.1.2.3', '203.0.113.9, unknown', '10.1.2.3'],
  ['a block where an address belongs', '10.1.2.3', '203.0.113.0/24', '10.1.2.3'],
  ['nothing but proxies of ours', '10.1.2.3', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
  ['IPv6 behind a proxy', '::1', '2001:db8::7', '2001:db8::7'],
])('%s', (_, peer, forwardedFor, client) => {
  expect(clientAddress(peer, forwardedFor, proxies)).toBe(client);
});

test('without trusted proxies the header means nothing', () => {
  expect(clientAddress('127.0.0.1', '192.0.2.1', [])).toBe('127.0.0.1');
});
