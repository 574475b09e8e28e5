// A Redis server of our own: loopback only, always behind a password, never evicts, and by default syncs every write
// before it answers. Takes redis-server from PATH, or installs Debian's as root; its service is not started.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createClient } from 'redis';
import { choosePort } from './port.ts';
import { launch, type StopSignals, stopOrphan } from './process.ts';
import { requirePrograms } from './program.ts';

export interface RedisOptions {
  dataDir: string;
  logFile: string;
  /** A free one when it is missing or 0. */
  port?: number;
  /** A new one for every start when it is missing. */
  password?: string;
  /** `always` survives a power cut, `everysec` may lose a second of it. */
  fsync?: 'always' | 'everysec';
  /** As in Launch. */
  onLoss?: (line: string) => void;
}

export interface Redis {
  /** With the password. */
  url: string;
  port: number;
  stop(): Promise<void>;
}

const program = {
  name: 'redis-server',
  debianPackage: 'redis-server',
  macos: 'brew install redis',
  services: ['redis-server'],
};
const stopSignals: StopSignals = [
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

export async function startRedis(options: RedisOptions): Promise<Redis> {
  const [command] = await requirePrograms('Redis', [program]);
  const dataDir = resolve(options.dataDir);
  mkdirSync(dirname(dataDir), { recursive: true });
  if (!existsSync(dataDir)) mkdirSync(dataDir, { mode: 0o700 });
  const configFile = join(dataDir, 'redis.conf');
  const pidFile = `${dataDir}.pid`;
  await stopOrphan('Redis', pidFile, configFile, stopSignals);
  const port = await choosePort('Redis', options.port);
  const password = options.password ?? randomBytes(24).toString('hex');
  const config = [
    'bind 127.0.0.1',
    'protected-mode yes',
    `port ${port}`,
    `requirepass ${quoted(password)}`,
    `dir ${quoted(dataDir)}`,
    'appendonly yes',
    `appendfsync ${options.fsync ?? 'always'}`,
    'save ""',
    'maxmemory-policy noeviction',
    'set-proc-title no',
  ];
  writeFileSync(configFile, `${config.join('\n')}\n`, { mode: 0o600 });
  const url = `redis://default:${encodeURIComponent(password)}@127.0.0.1:${port}`;
  const server = await launch({
    name: 'Redis',
    command: command!,
    args: [configFile],
    cwd: dataDir,
    logFile: options.logFile,
    pidFile,
    marker: configFile,
    stopSignals,
    isReady: () => isReady(url),
    readyWithinMs: 60_000,
    onLoss: options.onLoss,
  });
  return { url, port, stop: () => server.stop() };
}

/** As redis.conf reads it: in double quotes, what is not plain as \xHH. */
function quoted(value: string): string {
  const inQuotes = Array.from(Buffer.from(value), (byte) => {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    return plain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `"${inQuotes.join('')}"`;
}

/** False while it loads its data, too. */
async function isReady(url: string): Promise<boolean> {
  const client = createClient({
    url,
    socket: { reconnectStrategy: false, connectTimeout: 2000 },
    disableOfflineQueue: true,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.destroy();
  }
}
