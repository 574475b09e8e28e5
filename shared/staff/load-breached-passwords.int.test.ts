import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { addCommonPasswords } from '../../drizzle/common-passwords.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { ListFault, loadBreachedPasswords, type ReadLines } from './load-breached-passwords.ts';
import { refusedPassword } from './password-policy.ts';

let database: TestDatabase;
let db: Pool;
let auth: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  db = open(database.url);
  auth = open(database.urlFor('recoup_auth'));
});
afterAll(async () => {
  await Promise.all([db.close(), auth.close()]);
  await database.drop();
});

const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();
const list = { name: 'list.txt', sizeBytes: 1_000_000 };
const size = 50_000;
/** `word-0 0000000000`, seen once, `word-1 ...`, seen twice, and so on; breaks off before the line of that number. */
const lines = (breakOff = size, reads: number[] = []): ReadLines =>
  async function* (fromByte) {
    reads.push(fromByte);
    for (let i = fromByte; i < size; i++) {
      if (i === breakOff) throw new Error('the disk is gone');
      yield { text: `${sha1(`word-${i} 0000000000`)}:${i + 1}\r`, endByte: i + 1 };
    }
  };
const count = async () =>
  (await db.query<{ n: number }>('select count(*)::int as n from staff.breached_passwords'))[0]?.n;

test('the common passwords are added where there is no list, and once', async () => {
  const added = await addCommonPasswords(database.url);
  expect(added).toBeGreaterThan(10_000);
  expect(await addCommonPasswords(database.url)).toBe(0);
  expect(await count()).toBe(added);
  const rules = { username: 'ada', minimum: 8 };
  expect(await refusedPassword(auth, 'football', rules)).toBe('breached');
  expect(await refusedPassword(auth, 'a phrase that nobody uses', rules)).toBe(undefined);
});

test('a list that was broken off is gone on with, and not read again', async () => {
  await db.query('truncate staff.breached_passwords');
  const reads: number[] = [];
  const load = (breakOff?: number) => loadBreachedPasswords(db, list, lines(breakOff, reads), 11, () => {});
  await expect(load(45_000)).rejects.toThrow('the disk is gone');
  expect(await count()).toBe(40_000 - 10);
  expect(await load()).toBe(10_000);
  expect(await load()).toBe(0);
  expect(reads).toEqual([0, 40_000, size]);
  expect(await count()).toBe(size - 10);
  const rules = { username: 'ada', minimum: 12 };
  expect(await refusedPassword(auth, `word-${size - 1} 0000000000`, rules)).toBe('breached');
  expect(await refusedPassword(auth, 'word-0 0000000000', rules)).toBe(undefined);
});

test('a file of another form is refused', async () => {
  const other: ReadLines = async function* () {
    yield { text: 'hunter2', endByte: 8 };
  };
  await expect(loadBreachedPasswords(db, { name: 'x', sizeBytes: 8 }, other, 1, () => {})).rejects.toThrow(
    ListFault,
  );
});
