import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { apiKeyHash, bearerToken, generateApiKey } from './api-key.ts';
import { isPermission, permissions } from './permissions.ts';

const secret = 'abcXYZ0123456789abcXYZ0123456789abcXYZ01234';
const token = `rk_0123456789ab_${secret}`;

test('a new key has its prefix, 43 characters of secret, and the hash that it is found by', async () => {
  const keys = await Promise.all(Array.from({ length: 200 }, generateApiKey));
  for (const key of keys) {
    expect(key.token).toMatch(/^rk_[0-9a-z]{12}_[0-9A-Za-z]{43}$/);
    expect(key.token.split('_')[1]).toBe(key.prefix);
    expect(await apiKeyHash(key.token)).toBe(key.hash);
  }
  expect(new Set(keys.map((key) => key.token)).size).toBe(keys.length);
  expect(new Set(keys.map((key) => key.prefix)).size).toBe(keys.length);
});

test('every character of the alphabet is drawn about as often as any other', async () => {
  const keys = await Promise.all(Array.from({ length: 4_000 }, generateApiKey));
  const drawn = keys.map((key) => key.token.slice(-43)).join('');
  const counts = Map.groupBy(drawn, (character) => character);
  const expected = drawn.length / 62;
  expect(counts.size).toBe(62);
  // Eight standard deviations: a fair draw never strays that far, and bytes taken modulo 62 stray by eleven.
  for (const [character, times] of counts) {
    expect(Math.abs(times.length - expected), character).toBeLessThan(8 * Math.sqrt(expected));
  }
});

test('a key’s hash is the SHA-256 of the whole of it', async () => {
  expect(await apiKeyHash(token)).toBe(createHash('sha256').update(token).digest('hex'));
});

test.each([
  ...['', 'rk_', token.slice(0, -1), `${token}0`, `${token}\n`, ` ${token}`, token.toUpperCase()],
  ...[
    token.replace('rk_', 'sk_'),
    token.replaceAll('_', '-'),
    token.replace('0', 'A'),
    token.replace('X', 'é'),
  ],
])('%j has not the form of a key', async (text) => {
  expect(await apiKeyHash(text)).toBe(undefined);
});

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER a.b-c_d', 'a.b-c_d'],
  [undefined, undefined],
  ['', undefined],
  ['abc', undefined],
  ['Bearer', undefined],
  ['Bearer ', undefined],
  ['Bearer  abc', undefined],
  ['Bearer abc def', undefined],
  ['Bearer abc\n', undefined],
  ['Basic abc', undefined],
  ['xBearer abc', undefined],
])('the header %j carries the token %j', (header, carried) => {
  expect(bearerToken(header)).toBe(carried);
});

test('only what the table of permissions names is a permission', () => {
  expect(Object.keys(permissions).every(isPermission)).toBe(true);
  expect(['', 'payments', 'payments:write', 'toString', '__proto__'].filter(isPermission)).toEqual([]);
});
