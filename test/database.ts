// A database per test file, copied from the migrated template, and a Redis of its own for the file. Dropping the
// database fails the test when the code under test has left a connection open.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createClient } from 'redis';
import { inject } from 'vitest';
import type { Role } from '../drizzle/migrate.ts';

export interface TestDatabase {
  /** The superuser's. */
  url: string;
  urlFor(role: Role): string;
  /** Throws when a connection is still open; the database is gone all the same. */
  drop(): Promise<void>;
}

export const createTestDatabase = (): Promise<TestDatabase> => createFrom('recoup_template');

/** The ledger's, whose only role is recoup_ledger. */
export const createTestLedger = (): Promise<TestDatabase> => createFrom('recoup_ledger_template');

async function createFrom(template: string): Promise<TestDatabase> {
  const adminUrl = provided('postgresUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(adminUrl, (client) => client.query(`create database ${name} template ${template}`));
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    urlFor(role) {
      const forRole = new URL(url);
      forRole.username = role;
      forRole.password = provided('rolePasswords')[role];
      return forRole.href;
    },
    drop: () => withClient(adminUrl, (client) => drop(client, name)),
  };
}

/** Databases of Redis are numbered: a worker runs one file at a time, so its number serves, emptied. */
export async function createTestRedis(): Promise<{ url: string }> {
  const url = new URL(provided('redisUrl'));
  url.pathname = `/${process.env.VITEST_POOL_ID ?? 1}`;
  const client = createClient({ url: url.href });
  await client.connect();
  await client.flushDb();
  await client.close();
  return { url: url.href };
}

async function drop(client: pg.Client, name: string): Promise<void> {
  // A connection that was closed a moment ago may not have left yet.
  const deadline = Date.now() + 1000;
  let open = await connections(client, name);
  while (open.length && Date.now() < deadline) {
    await sleep(20);
    open = await connections(client, name);
  }
  await client.query(`drop database ${name} with (force)`);
  if (open.length) {
    throw new Error(`${open.length} connection(s) were left open on the test database:\n${open.join('\n')}`);
  }
}

async function connections(client: pg.Client, name: string): Promise<string[]> {
  const { rows } = await client.query(
    `select pid, usename, application_name, state, left(query, 100) as query
     from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
    [name],
  );
  return rows.map((row) => `  ${row.usename} ${row.application_name} ${row.state}, last asked: ${row.query}`);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function provided<K extends 'postgresUrl' | 'rolePasswords' | 'redisUrl'>(key: K) {
  const value = inject(key);
  if (value === undefined)
    throw new Error('only integration tests have servers: name the file x.int.test.ts');
  return value;
}
