// What stands around the projectors that chaos kills: a Postgres and a Redis of their own that lose nothing they have
// confirmed, and that are killed, too; a second database for the run that nothing disturbs.

import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openPool, type Pool } from '../../containers/database.ts';
import { startPostgres } from '../../dev/servers/postgres.ts';
import { startRedis } from '../../dev/servers/redis.ts';
import { migrate, type Role, roles, setRolePasswords } from '../../drizzle/migrate.ts';

export const projectors = ['one', 'other'] as const;
export type ProjectorName = (typeof projectors)[number];
/** Of all projectors and of whoever looks into what they have sealed. */
export const masterKey = { name: 'chaos', key: randomBytes(32) };
export const timeZone = 'Europe/Berlin';
export const streams = ['inbox:billie-servicing', 'inbox:billie-servicing:internal'] as const;
export const group = 'billie-servicing-processor';
/** What a projector has not settled for so long is another's. */
export const claimAfterMs = 1_000;

export interface ProjectorArena {
  /** The owner's. */
  db: Pool;
  /** The owner's, of a database that no projector knows. */
  clean: Pool;
  redisUrl: string;
  env: Record<ProjectorName, Record<string, string>>;
  /** Each server is gone from one moment to the next, and comes back with what it had. */
  restartPostgres(): Promise<void>;
  restartRedis(): Promise<void>;
}

/** `folder` must be one that Postgres' user can get through to. */
export async function openProjectorArena(folder: string): Promise<ProjectorArena & AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const named = (name: string) => ({
    dataDir: join(folder, name),
    logFile: join(folder, `${name}.log`),
    onLoss: () => {},
  });
  const postgresOptions = {
    ...named('chaos-postgres'),
    password: randomBytes(16).toString('hex'),
    fast: true,
    // Processes die here, and the machine does not: what is committed has to be with the system, and need not be on the disk.
    settings: { synchronous_commit: 'on' },
  };
  const redisOptions = { ...named('chaos-redis'), password: randomBytes(16).toString('hex') };
  let [postgres, redis] = await Promise.all([startPostgres(postgresOptions), startRedis(redisOptions)]);
  opening.defer(async () => {
    await Promise.all([postgres.stop(), redis.stop()]);
    rmSync(postgres.dataDir, { recursive: true, force: true });
  });
  const { url, port } = postgres;
  await migrate(url, () => {});
  const passwords = Object.fromEntries(roles.map((role) => [role, randomBytes(16).toString('hex')]));
  await setRolePasswords(url, passwords as Record<Role, string>);
  const open = (database: string) => {
    const pool = { min: 0, max: 2, applicationName: 'chaos', timeoutMs: 20_000 };
    return openPool({ ...pool, url: Object.assign(new URL(url), { pathname: `/${database}` }).href });
  };
  const admin = open('postgres');
  await admin.query('create database undisturbed template recoup').finally(() => admin.close());
  const [db, clean] = [open('recoup'), open('undisturbed')];
  opening.defer(() => Promise.all([db.close(), clean.close()]).then(() => {}));

  const forRole = Object.assign(new URL(url), {
    username: 'recoup_projector',
    password: passwords.recoup_projector,
  });
  const envOf = (consumer: ProjectorName) => ({
    DATABASE_URL: forRole.href,
    DB_POOL_MAX: '6',
    REDIS_URL: redis.url,
    SERVICING_CONSUMER: consumer,
    SERVICING_BATCH_SIZE: '40',
    SERVICING_INTERVAL_MS: '50',
    SERVICING_CLAIM_AFTER_SECONDS: String(claimAfterMs / 1_000),
    HEARTBEAT_SECONDS: '1',
    BUSINESS_TIME_ZONE: timeZone,
    ARCHIVE_MASTER_KEYS: `${masterKey.name}:${masterKey.key.toString('base64')}`,
  });
  const kill = async (pidFile: string, signal: NodeJS.Signals, server: { stop(): Promise<void> }) => {
    process.kill(Number.parseInt(readFileSync(pidFile, 'utf8'), 10), signal);
    await server.stop();
  };

  const moved = opening.move();
  return {
    db,
    clean,
    redisUrl: redis.url,
    env: { one: envOf('one'), other: envOf('other') },
    async restartPostgres() {
      // Its immediate shutdown: no checkpoint, no farewell, and recovery when it starts.
      await kill(join(postgres.dataDir, 'postmaster.pid'), 'SIGQUIT', postgres);
      postgres = await startPostgres({ ...postgresOptions, port });
    },
    async restartRedis() {
      await kill(`${redisOptions.dataDir}.pid`, 'SIGKILL', redis);
      redis = await startRedis({ ...redisOptions, port: redis.port });
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
