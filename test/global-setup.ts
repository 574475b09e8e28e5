// One Postgres, one Redis and one Kafka for a whole run, in a temporary folder that goes with it; what a killed run
// left behind is cleared first. Identity providers are started when a test file asks for one. Where a program is
// missing that cannot be installed, its tests are skipped aloud, and CI refuses to skip them.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import type { Directory, DirectoryOptions } from '../dev/servers/directory.ts';
import { startKafka } from '../dev/servers/kafka.ts';
import { startKeycloak } from '../dev/servers/keycloak.ts';
import { madeUpPeople } from '../dev/servers/people.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { killServers } from '../dev/servers/process.ts';
import { startRedis } from '../dev/servers/redis.ts';
import { startSamba } from '../dev/servers/samba.ts';
import { startSlapd } from '../dev/servers/slapd.ts';
import { migrate, migrateLedger, type Role, roles, setRolePasswords } from '../drizzle/migrate.ts';
import { serveOnDemand } from './on-demand.ts';
import { unlessSkipped } from './unless-skipped.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** For files of tests that start servers of their own: what is left in it is stopped and removed. */
    runFolder: string;
    /** The superuser's, of a database that no test uses. */
    postgresUrl: string;
    rolePasswords: Record<Role, string>;
    redisUrl: string;
    /** Null when Kafka is skipped. */
    kafkaBrokers: string | null;
    /** For identity-providers.ts. */
    onDemandUrl: string;
  }
}

const folderPrefix = 'recoup-test-';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await clearKilledRuns();
  const folder = mkdtempSync(join(tmpdir(), `${folderPrefix}${process.pid}-`));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  project.provide('runFolder', folder);
  const stops: (() => Promise<void>)[] = [];
  const teardown = async () => {
    const results = await Promise.allSettled(stops.map((stop) => stop()));
    await killServers(folder);
    rmSync(folder, { recursive: true, force: true });
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  };

  const starts = await Promise.allSettled([
    postgres(project, folder, stops),
    redis(project, folder, stops),
    kafka(project, folder, stops),
    identityProviders(project, folder, stops),
  ]);
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed) {
    await teardown().catch(() => {});
    throw failed.reason;
  }
  return teardown;
}

async function postgres(project: TestProject, folder: string, stops: (() => Promise<void>)[]): Promise<void> {
  const server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: randomBytes(16).toString('hex'),
    fast: true,
  });
  stops.push(async () => {
    await server.stop();
    rmSync(server.dataDir, { recursive: true, force: true });
  });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  for (const [name, migrateIt] of [
    ['recoup_template', migrate],
    ['recoup_ledger_template', migrateLedger],
  ] as const) {
    await client.query(`create database ${name}`);
    const template = new URL(server.url);
    template.pathname = `/${name}`;
    await migrateIt(template.href, () => {});
  }
  await client.end();
  const passwords = roles.map((role) => [role, randomBytes(16).toString('hex')]);
  const rolePasswords = Object.fromEntries(passwords) as Record<Role, string>;
  await setRolePasswords(server.url, rolePasswords);
  project.provide('postgresUrl', server.url);
  project.provide('rolePasswords', rolePasswords);
}

async function redis(project: TestProject, folder: string, stops: (() => Promise<void>)[]): Promise<void> {
  const server = await startRedis({
    dataDir: join(folder, 'redis'),
    logFile: join(folder, 'redis.log'),
    fsync: 'everysec',
  });
  stops.push(() => server.stop());
  project.provide('redisUrl', server.url);
}

async function kafka(project: TestProject, folder: string, stops: (() => Promise<void>)[]): Promise<void> {
  const server = await unlessSkipped('KAFKA', process.env.RECOUP_SKIP_KAFKA, () =>
    startKafka({ dataDir: join(folder, 'kafka'), logFile: join(folder, 'kafka.log') }),
  );
  if (server) stops.push(() => server.stop());
  project.provide('kafkaBrokers', server?.brokers ?? null);
}

async function identityProviders(
  project: TestProject,
  folder: string,
  stops: (() => Promise<void>)[],
): Promise<void> {
  const files = (name: string) => ({ dataDir: join(folder, name), logFile: join(folder, `${name}.log`) });
  const keycloak = async () => {
    const people = madeUpPeople();
    const redirectUris = ['http://127.0.0.1/*'];
    const { stop, ...server } = await startKeycloak({ ...files('keycloak'), people, redirectUris });
    return { answer: { ...server, people }, stop };
  };
  const directory = async (name: string, start: (options: DirectoryOptions) => Promise<Directory>) => {
    const people = madeUpPeople();
    const { stop, ...server } = await start({ ...files(name), people });
    return { answer: { ...server, people }, stop };
  };
  const door = await serveOnDemand({
    keycloak: () => unlessSkipped('KEYCLOAK', process.env.RECOUP_SKIP_KEYCLOAK, keycloak),
    openldap: () =>
      unlessSkipped('OPENLDAP', process.env.RECOUP_SKIP_LDAP, () => directory('slapd', startSlapd)),
    'active-directory': () =>
      unlessSkipped('ACTIVE DIRECTORY', process.env.RECOUP_SKIP_LDAP, () => directory('samba', startSamba)),
  });
  stops.push(() => door.stop());
  project.provide('onDemandUrl', door.url);
}

/** A run that was killed with -9 leaves its servers and its folder. Another user's are that user's. */
async function clearKilledRuns(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((file) => file.startsWith(folderPrefix))) {
    if (isAlive(Number.parseInt(name.slice(folderPrefix.length), 10))) continue;
    const folder = join(tmpdir(), name);
    if (process.getuid && statSync(folder, { throwIfNoEntry: false })?.uid !== process.getuid()) continue;
    await killServers(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
