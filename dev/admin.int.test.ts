import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { nativeScrypt } from '../containers/edge/scrypt.ts';
import { verifyPassword } from '../shared/staff/password-hash.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { ensureStaff } from './stack/demo-staff.ts';

let database: TestDatabase;
let owner: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 20_000 });
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const command = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, 'admin.ts'), ...args], {
    env: { ...process.env, DATABASE_URL: database.url },
    timeout: 60_000,
  }).then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, said: stderr }),
  );

const hashOf = async (username: string) => {
  const [row] = await owner.query<{ hash: string; must_change: boolean; roles: string[] }>(
    `select hash, must_change, array(select role from staff.user_roles where user_id = id) as roles
     from staff.users join staff.passwords on user_id = id where username = $1`,
    [username],
  );
  return row;
};

test('makes the first administrator, with a password that has to be changed, and no second one unasked', async () => {
  const first = await command('--username', 'Ada', '--email', 'ada@example.com');
  expect(first).toEqual({
    code: 0,
    said: expect.stringMatching(/^ada can sign in with the password \S{20}\n/),
  });
  const password = /password (\S+)/.exec(first.said)?.[1] as string;
  const kept = await hashOf('ada');
  expect(kept).toMatchObject({ must_change: true, roles: ['admin'] });
  expect(await verifyPassword(nativeScrypt, password, kept?.hash ?? '')).toMatchObject({ right: true });
  expect(await owner.query(`select actor from audit.entries where action = 'user.created'`)).toEqual([
    { actor: 'job:admin' },
  ]);

  expect(await command('--username', 'eva')).toEqual({
    code: 1,
    said: expect.stringContaining('there is an administrator already'),
  });
  expect(await command('--username', 'ada', '--another')).toEqual({
    code: 1,
    said: expect.stringContaining('the user name ada is taken'),
  });
  expect((await command('--username', 'eva', '--another')).code).toBe(0);
  expect((await command('--username', 'no way')).said).toContain('Usage: npm run admin');

  await owner.query(`update staff.users set status = 'deactivated'`);
  expect((await command('--username', 'ida')).code).toBe(0);
});

test('npm start makes nobody where there is somebody, and keeps what it knows of those it made', async () => {
  expect(await ensureStaff(database.url, { ada: 'secret', gone: 'secret' }, true)).toEqual({ ada: 'secret' });
  await owner.query('truncate staff.users, staff.passwords, staff.user_roles, staff.sessions cascade');
  const staff = await ensureStaff(database.url, {}, true);
  expect(Object.keys(staff)).toEqual(['admin', 'supervisor', 'agent', 'operations', 'auditor']);
  for (const [username, password] of Object.entries(staff)) {
    const kept = await hashOf(username);
    expect(kept).toMatchObject({ must_change: false, roles: [username] });
    expect(await verifyPassword(nativeScrypt, password, kept?.hash ?? '')).toMatchObject({ right: true });
  }
});
