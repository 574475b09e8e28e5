import { expect, test } from 'vitest';
import { guidBytes, guidText, kinds } from './kinds.ts';

test('a GUID is written as Windows writes it, and found again by its bytes', () => {
  const bytes = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  expect(guidText(bytes)).toBe('33221100-5544-7766-8899-aabbccddeeff');
  expect(guidBytes('33221100-5544-7766-8899-aabbccddeeff')).toEqual(bytes);
});

const now = new Date('2026-11-29T12:00:00Z');
/** As [MS-ADTS] has instants: in units of 100 ns since 1601. */
const instant = (at: string) => String((BigInt(Date.parse(at)) + 11_644_473_600_000n) * 10_000n);

test.each<[string, Record<string, string | string[]>, boolean]>([
  ['an ordinary account', { userAccountControl: '512', accountExpires: '9223372036854775807' }, false],
  ['one that never expires, said otherwise', { userAccountControl: '512', accountExpires: '0' }, false],
  ['one that expires tomorrow', { accountExpires: instant('2026-11-30T00:00:00Z') }, false],
  [
    'one that has expired',
    { userAccountControl: '512', accountExpires: instant('2026-11-29T00:00:00Z') },
    true,
  ],
  ['a disabled one', { userAccountControl: '514' }, true],
  ['a disabled one whose password never expires', { userAccountControl: ['66050'] }, true],
  ['one of which nothing is told', { userAccountControl: [], accountExpires: [] }, false],
])('Active Directory: %s', (_, entry, disabled) => {
  expect(kinds['active-directory'].isDisabled(entry, now)).toBe(disabled);
});

test.each<[string, Record<string, string | string[]>, boolean]>([
  ['an ordinary account', { pwdAccountLockedTime: [] }, false],
  ['one that is locked for a while', { pwdAccountLockedTime: '20261129115500Z' }, false],
  ['one that is locked for good', { pwdAccountLockedTime: '000001010000Z' }, true],
])('OpenLDAP: %s', (_, entry, disabled) => {
  expect(kinds.openldap.isDisabled(entry, now)).toBe(disabled);
});
