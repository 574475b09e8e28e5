// Brings a database to the schema of this checkout, forward only, under a lock: two starters at once are safe. Refuses
// when a file that was applied has been edited since, or when a new file sorts before one that was applied.
//
// As a command (`node drizzle/migrate.ts`): migrates DATABASE_URL, creates the coming months' partitions, adds the
// common passwords where no list has been loaded, makes and migrates the ledger's where LEDGER_DATABASE_URL names one, and
// lets each role log in whose <ROLE>_PASSWORD is set. Use direct URLs, not a pooler's: the lock belongs to a session.

import { join, relative } from 'node:path';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { addCommonPasswords } from './common-passwords.ts';

export const roles = [
  'recoup_webhooks',
  'recoup_auth',
  'recoup_api',
  'recoup_publisher',
  'recoup_ingest',
  'recoup_drain',
  'recoup_edge',
  'recoup_projector',
  'recoup_directory',
  // In the main database it only says that it lives.
  'recoup_ledger',
] as const;
export type Role = (typeof roles)[number];

/** The main database's, and those of the ledger's own database. */
const folders = {
  main: join(import.meta.dirname, 'migrations'),
  ledger: join(import.meta.dirname, 'ledger'),
};
/** Any number will do, as long as nothing else takes it. */
const lock = 7_234_051_902;
const monthsAhead = 3;

interface Migrated {
  applied: number;
}

export const migrate = (databaseUrl: string, report: (line: string) => void): Promise<Migrated> =>
  migrateBy(folders.main, databaseUrl, report);

/** Makes the database where the server has none of this name. */
export async function migrateLedger(databaseUrl: string, report: (line: string) => void): Promise<Migrated> {
  await createWhereMissing(databaseUrl);
  return migrateBy(folders.ledger, databaseUrl, report);
}

async function createWhereMissing(databaseUrl: string): Promise<void> {
  const missing = await connected(databaseUrl, async () => false).catch((error) => {
    if (error.code === '3D000') return true;
    throw error;
  });
  if (!missing) return;
  const url = new URL(databaseUrl);
  const name = decodeURIComponent(url.pathname.slice(1));
  url.pathname = '/postgres';
  await connected(url.href, (client) => client.query(`create database ${pg.escapeIdentifier(name)}`)).catch(
    (error) => {
      // Another starter was quicker.
      if (!['42P04', '23505'].includes(error.code)) throw error;
    },
  );
}

function migrateBy(
  migrationsFolder: string,
  databaseUrl: string,
  report: (line: string) => void,
): Promise<Migrated> {
  return connected(databaseUrl, async (client) => {
    await client.query('select pg_advisory_lock($1)', [lock]);
    const before = await refuseEditedMigrations(client, migrationsFolder);
    await applyMigrations(drizzle({ client }), { migrationsFolder });
    const applied = readMigrationFiles({ migrationsFolder }).length - before;
    report(applied ? `migrations applied: ${applied}` : 'migrations: nothing to apply');
    return { applied };
  });
}

/** Lets the roles log in. The passwords go to the database alone, and not into its log where we may say so. */
export async function setRolePasswords(
  databaseUrl: string,
  passwords: Partial<Record<Role, string>>,
): Promise<void> {
  await connected(databaseUrl, async (client) => {
    // Only a superuser may; a managed database has its own rules for its log.
    await client.query(`set log_statement = 'none'; set log_min_duration_statement = -1`).catch(() => {});
    for (const role of roles) {
      const password = passwords[role];
      if (password === undefined) continue;
      if (password.length < 16) throw new Error(`the password of ${role} has fewer than 16 characters`);
      const quoted = `${pg.escapeIdentifier(role)} with login password ${pg.escapeLiteral(password)}`;
      await client.query(`alter role ${quoted}`);
    }
  });
}

/** Creates the partitions of this month and the coming ones where they are missing. */
export async function ensurePartitions(databaseUrl: string): Promise<number> {
  return connected(databaseUrl, async (client) => {
    const { rows } = await client.query(
      'select payment_service.ensure_partitions($1) + servicing.ensure_partitions($1) as created',
      [monthsAhead],
    );
    return rows[0].created;
  });
}

/** How many of this checkout's migrations are applied. */
async function refuseEditedMigrations(client: pg.Client, migrationsFolder: string): Promise<number> {
  const { rows: tables } = await client.query(`select to_regclass('drizzle.__drizzle_migrations') as log`);
  if (tables[0].log === null) return 0;
  const { rows } = await client.query<{ hash: string; created_at: string }>(
    'select hash, created_at from drizzle.__drizzle_migrations order by created_at',
  );
  const applied = new Map(rows.map((row) => [Number(row.created_at), row.hash]));
  const newest = Math.max(...applied.keys());
  const files = readMigrationFiles({ migrationsFolder });
  for (const { folderMillis, hash } of files) {
    const when = `the migration of ${new Date(folderMillis).toISOString()} (${relative(process.cwd(), migrationsFolder)}/meta/_journal.json)`;
    if (applied.has(folderMillis) && applied.get(folderMillis) !== hash) {
      throw new Error(
        `${when} was edited after this database had applied it; restore it and write a new one`,
      );
    }
    if (!applied.has(folderMillis) && folderMillis < newest) {
      throw new Error(
        `${when} is older than one this database has applied, and would be skipped; give it a later time`,
      );
    }
  }
  return files.filter((file) => applied.has(file.folderMillis)).length;
}

async function connected<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function command(): Promise<void> {
  const databaseUrl = process.env.DATABASE_URL;
  if (!databaseUrl) throw new Error('DATABASE_URL is not set: the direct URL of a role that owns the schema');
  await migrate(databaseUrl, console.log);
  console.log(`partitions created: ${await ensurePartitions(databaseUrl)}`);
  console.log(`common passwords added: ${await addCommonPasswords(databaseUrl)}`);
  const passwords = Object.fromEntries(
    roles.flatMap((role) => {
      const password = process.env[`${role.toUpperCase()}_PASSWORD`];
      return password ? [[role, password]] : [];
    }),
  ) as Partial<Record<Role, string>>;
  await setRolePasswords(databaseUrl, passwords);
  console.log(`roles that got a password: ${Object.keys(passwords).join(', ') || 'none'}`);
  const ledgerUrl = process.env.LEDGER_DATABASE_URL;
  if (!ledgerUrl) return;
  await migrateLedger(ledgerUrl, (line) => console.log(`ledger: ${line}`));
  // It may be on another server.
  const { recoup_ledger } = passwords;
  if (recoup_ledger) await setRolePasswords(ledgerUrl, { recoup_ledger });
}

if (import.meta.main) {
  await command().catch((error: Error) => {
    // Drizzle's own message is the whole statement; what the database said is its cause.
    console.error(error.cause instanceof Error ? error.cause.message : error.message);
    process.exitCode = 1;
  });
}
