import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { passwordFault, refusedPassword } from './password-policy.ts';

const rules = { username: 'ada.lovelace', minimum: 12 };

test.each([
  ['elevenchars', 'too_short'],
  ['twelve chars', undefined],
  ['🐎🔋📎🐎🔋📎🐎🔋📎🐎🔋', 'too_short'],
  ['🐎🔋📎🐎🔋📎🐎🔋📎🐎🔋📎', undefined],
  ['x'.repeat(128), undefined],
  ['x'.repeat(129), 'too_long'],
  ['ada.lovelace', 'contains_username'],
  ['I am ADA.Lovelace', 'contains_username'],
  ['nothing but small letters', undefined],
  // Decomposed it has more characters than people see.
  [`e\u0301`.repeat(6), 'too_short'],
])('%j: %s', (password, fault) => {
  expect(passwordFault(password, rules)).toBe(fault);
});

test('a short username may be in a password, but not be it', () => {
  const short = { username: 'al', minimum: 2 };
  expect(passwordFault('balance', short)).toBe(undefined);
  expect(passwordFault('AL', short)).toBe('contains_username');
});

test('what is in the list is refused, in capitals and said twice as well', async () => {
  const listed = new Set(
    ['password1234', 'dragon'].map((text) => createHash('sha1').update(text).digest('hex')),
  );
  const db: Database = {
    query: async (_, params) =>
      ((params ?? [[]])[0] as string[]).some((sha1) => listed.has(sha1)) ? ([{}] as never) : [],
    arrays: async () => [],
  };
  for (const breached of [
    'password1234',
    'PassWord1234',
    'dragondragon',
    'DragonDragon',
    'abcabcabcabc',
    'aaaaaaaaaaaa',
  ]) {
    expect(await refusedPassword(db, breached, rules), breached).toBe('breached');
  }
  for (const good of ['password12345', 'dragon dragons', 'correct horse battery']) {
    expect(await refusedPassword(db, good, rules), good).toBe(undefined);
  }
});
