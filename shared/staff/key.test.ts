import { expect, test } from 'vitest';
import type { Caller } from './caller.ts';
import { mayHandOut, successorsEnd } from './key.ts';
import { grantsOf } from './roles.ts';

const day = 24 * 60 * 60 * 1_000;
const now = new Date('2026-11-25T12:00:00Z');
const inDays = (days: number) => new Date(now.getTime() + days * day);
const caller: Caller = {
  ...{ kind: 'key', actor: 'key:k', name: 'k', prefix: 'k', expiresAt: null, lastUsedAt: null },
  grants: grantsOf(
    [],
    [
      ['payments:read', 'all'],
      ['sessions:read', 'team'],
    ],
  ),
};
const ask = (scopes: string[], expiresAt: Date | null, maxDays = 90) =>
  mayHandOut(caller, { scopes, expiresAt }, { maxDays }, now);

test('a key is worth what its maker holds towards everybody, and no more', () => {
  expect(ask(['payments:read'], inDays(1))).toEqual({ ok: true });
  expect(ask(['payments:read', 'sessions:read', 'keys:manage'], inDays(1))).toEqual({
    ok: false,
    refusal: { kind: 'beyond_own_rights', permissions: ['sessions:read', 'keys:manage'] },
  });
});

test('a key ends in the future, within the limit; without a limit it need not end', () => {
  const outOfRange = (maxDays: number) => ({ ok: false, refusal: { kind: 'expiry_out_of_range', maxDays } });
  expect(ask(['payments:read'], inDays(90))).toEqual({ ok: true });
  expect(ask(['payments:read'], inDays(90.001))).toEqual(outOfRange(90));
  expect(ask(['payments:read'], now)).toEqual(outOfRange(90));
  expect(ask(['payments:read'], null)).toEqual(outOfRange(90));
  expect(ask(['payments:read'], null, 0)).toEqual({ ok: true });
  expect(ask(['payments:read'], inDays(5_000), 0)).toEqual({ ok: true });
  expect(ask(['payments:read'], inDays(-1), 0)).toEqual(outOfRange(0));
});

test('a successor lives as long as the key was to live, as far as the limit allows', () => {
  const end = (expiresAt: Date | null, maxDays: number) =>
    successorsEnd({ createdAt: inDays(-10), expiresAt }, { maxDays }, now);
  expect(end(inDays(20), 90)).toEqual(inDays(30));
  expect(end(inDays(200), 90)).toEqual(inDays(90));
  expect(end(null, 90)).toEqual(inDays(90));
  expect(end(inDays(200), 0)).toEqual(inDays(210));
  expect(end(null, 0)).toBeNull();
});
