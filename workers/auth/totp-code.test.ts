import { expect, test } from 'vitest';
import { newTotpSecret, stepOfCode, totpUri } from './totp-code.ts';

/** `12345678901234567890`, as RFC 6238's appendix B has it. */
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
])('at second %i the code of the standard is right, half a minute before and after too', (second, code) => {
  const step = Math.floor(second / 30);
  for (const [off, found] of [
    [0, step],
    [-30, step],
    [30, step],
    [-90, undefined],
    [90, undefined],
  ] as const) {
    expect(stepOfCode(secret, code, (second + off) * 1_000)).toBe(found);
  }
});

test.each(['', '28708', '2870822', 'abcdef', ' 287082', '２８７０８２'])('%j is no code', (code) => {
  expect(stepOfCode(secret, code, 59_000)).toBe(undefined);
});

test('a new secret has 160 bits, and apps are told whose it is', () => {
  const [one, other] = [newTotpSecret(), newTotpSecret()];
  expect(one).toMatch(/^[A-Z2-7]{32}$/);
  expect(one).not.toBe(other);
  const uri = new URL(totpUri(one, 'ada'));
  expect(uri.pathname).toContain('ada');
  expect(Object.fromEntries(uri.searchParams)).toMatchObject({
    secret: one,
    issuer: 'Recoup',
    digits: '6',
    period: '30',
  });
});
