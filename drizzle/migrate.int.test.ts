import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Postgres, startPostgres } from '../dev/servers/postgres.ts';
import { migrate, setRolePasswords } from './migrate.ts';

// Roles belong to the cluster, so their passwords are tried in a cluster of its own, which logs all it is told.
let postgres: Postgres;
let logFile: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'migrate-'));
  chmodSync(folder, 0o711);
  logFile = join(folder, 'log');
  const settings = { log_statement: 'all' };
  postgres = await startPostgres({
    dataDir: join(folder, 'data'),
    logFile,
    password: 'x',
    fast: true,
    settings,
  });
});
afterAll(() => postgres.stop());

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('of two starters at once, one migrates and the other finds it done', async () => {
  const applied = await Promise.all([migrate(postgres.url, () => {}), migrate(postgres.url, () => {})]);
  const counts = applied.map((one) => one.applied).sort((a, b) => a - b);
  expect(counts[0]).toBe(0);
  expect(counts[1]).toBeGreaterThan(0);
});

test('the command migrates, and lets the roles in whose password it is given, without logging it', async () => {
  const password = "q'uo\\te %äß$1 and more";
  const env = { ...process.env, DATABASE_URL: postgres.url, RECOUP_API_PASSWORD: password };
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'migrate.ts')],
    { env },
  );
  expect(stdout).toMatch(
    /nothing to apply\npartitions created: 0\ncommon passwords added: \d+\nroles that got a password: recoup_api\n$/,
  );
  expect(stdout + stderr + readFileSync(logFile, 'utf8')).not.toContain('uo\\');
  const api = new URL(postgres.url);
  api.username = 'recoup_api';
  api.password = encodeURIComponent(password);
  expect(await ask(api.href, 'select current_user')).toEqual(['recoup_api']);
  api.username = 'recoup_auth';
  await expect(ask(api.href, 'select 1')).rejects.toThrow(/password authentication failed/);
});

test('a role gets no password that could be guessed', async () => {
  const given = setRolePasswords(postgres.url, { recoup_api: 'recoup' });
  await expect(given).rejects.toThrow('the password of recoup_api has fewer than 16 characters');
});

test('a migration that was edited after it was applied is refused, and so is one that would be skipped', async () => {
  const log = 'drizzle.__drizzle_migrations';
  await ask(postgres.url, `update ${log} set hash = 'x' || hash`);
  await expect(migrate(postgres.url, () => {})).rejects.toThrow(
    /was edited after this database had applied it/,
  );
  await ask(postgres.url, `update ${log} set created_at = created_at + 4000000000000`);
  await expect(migrate(postgres.url, () => {})).rejects.toThrow(/older than one this database has applied/);
});
