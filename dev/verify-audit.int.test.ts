import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { sealEntries } from '../shared/audit/seal-entries.ts';
import { entriesOf } from '../shared/audit/testing.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';

let database: TestDatabase;
let owner: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const command = (name: string, ...args: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(import.meta.dirname, `${name}.ts`), ...args],
      { env: { ...process.env, DATABASE_URL: database.url }, timeout: 60_000 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

test('commands are in the trail under their own name', async () => {
  const made = await command('key', '--scope', 'payments:read');
  expect(made.code, made.err).toBe(0);
  expect((await command('key', '--revoke', made.out.split('_')[1] as string)).code).toBe(0);
  expect((await command('publish-again', '--reference', 'REF-1')).code).toBe(0);
  expect((await command('publish-again', '--reference', 'REF-1', '--dry-run')).code).toBe(0);
  expect(await entriesOf(owner, '')).toMatchObject([
    { actor: 'job:key', action: 'api_key.created' },
    { actor: 'job:key', action: 'api_key.changed' },
    { actor: 'job:publish-again', action: 'publish_again.started', details: { referenceNumber: 'REF-1' } },
    { actor: 'job:publish-again', action: 'publish_again.done', details: { messages: 0 } },
  ]);
}, 60_000);

test('the trail is verified by command, against a head that was kept, and a break ends with 1', async () => {
  await expect
    .poll(async () => {
      await sealEntries(owner, 100);
      return owner.query('select 1 from audit.unsealed');
    })
    .toEqual([]);
  const whole = await command('verify-audit');
  expect(whole.code, whole.err).toBe(0);
  expect(whole.out).toMatch(/^4 sealed entries hold; 0 wait for their seal\nhead: [0-9a-f]{64}:4\n$/);
  const head = /head: (\S+)/.exec(whole.out)?.[1] as string;
  expect((await command('verify-audit', '--expect', head)).code).toBe(0);
  const other = await command('verify-audit', '--expect', head.replace(/:4$/, ':5'));
  expect([other.code, other.err]).toEqual([
    1,
    expect.stringMatching(/^NOT whole: the head that was kept is not there/),
  ]);
  expect((await command('verify-audit', '--expect', 'x')).err).toMatch(/^--expect expects HASH:POSITION/);

  await owner.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`update audit.entries set actor = 'user:eve' where action = 'api_key.changed'`);
  });
  const broken = await command('verify-audit');
  expect(broken.code).toBe(1);
  expect(broken.out).toMatch(/^1 sealed entries hold/);
  expect(broken.err).toMatch(/^NOT whole: entry \d+, sealed as 2, or its seal is not what it was/);
}, 60_000);
