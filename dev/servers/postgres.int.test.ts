import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { beforeEach, expect, inject, test } from 'vitest';
import { startThenKill } from './killed-starter.ts';
import { type PostgresOptions, startPostgres } from './postgres.ts';

let folder: string;
let options: PostgresOptions;

beforeEach(() => {
  folder = mkdtempSync(join(inject('runFolder'), 'postgres-'));
  chmodSync(folder, 0o711);
  options = {
    dataDir: join(folder, 'data'),
    logFile: join(folder, 'log'),
    password: "o'ld \\ %/ü",
    fast: true,
  };
});

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('a server whose starter was killed is stopped, and its data is kept', async () => {
  const module = new URL('./postgres.ts', import.meta.url).href;
  const { url } = await startThenKill<{ url: string }>(module, 'startPostgres', options);
  await ask(url, 'create table kept as select 42 as answer');
  const again = await startPostgres(options);
  expect(await ask(again.url, 'select answer from kept')).toEqual([42]);
  await expect(ask(url, 'select 1')).rejects.toThrow();
  await again.stop();
});

test('a second starter is refused while the first lives, and a new password is taken over', async () => {
  const first = await startPostgres(options);
  await expect(startPostgres(options)).rejects.toThrow(/Postgres already runs for process/);
  await expect(
    startPostgres({ ...options, dataDir: `${options.dataDir}2`, port: first.port }),
  ).rejects.toThrow(`Postgres: port ${first.port} is already in use`);
  await first.stop();
  const second = await startPostgres({ ...options, password: "n'ew" });
  expect(
    await ask(second.url, `select current_setting('server_encoding'), lower('Ü') collate "default"`),
  ).toEqual(['UTF8', 'ü']);
  await expect(ask(second.url.replace("n'ew", 'guessed'), 'select 1')).rejects.toThrow(
    /password authentication failed/,
  );
  await second.stop();
});

test('a start that fails says why', async () => {
  await expect(startPostgres({ ...options, settings: { shared_buffers: 'plenty' } })).rejects.toThrow(
    /Postgres ended with code 1.*invalid value for parameter "shared_buffers"/s,
  );
});

test.skipIf(process.getuid?.() !== 0)('as root, data that only root could reach lies elsewhere', async () => {
  const dataDir = join(folder, 'private', 'data');
  mkdirSync(join(folder, 'private'), { mode: 0o700 });
  const postgres = await startPostgres({ ...options, dataDir });
  expect(postgres.dataDir).toMatch(/^\/var\/lib\/recoup\/data-[0-9a-f]{12}$/);
  expect(await ask(postgres.url, 'select current_database()')).toEqual(['recoup']);
  await postgres.stop();
  rmSync(postgres.dataDir, { recursive: true });
});
