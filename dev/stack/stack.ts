// The whole system on this machine, in order: servers, schema, doors, Workers, containers. What was started is
// stopped in the opposite order, also when a later part fails.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openPool } from '../../containers/database.ts';
import { readProjectorSettings } from '../../containers/projector/env.ts';
import { addCommonPasswords } from '../../drizzle/common-passwords.ts';
import {
  ensurePartitions,
  migrate,
  migrateLedger,
  type Role,
  setRolePasswords,
} from '../../drizzle/migrate.ts';
import { apiNames, readChannels, secretNames } from '../../shared/payments/channel.ts';
import { SettingsFault } from '../../shared/settings.ts';
import { authenticateKey } from '../../shared/staff/authenticate-key.ts';
import { createApiKey } from '../../shared/staff/create-key.ts';
import { type Permission, permissions } from '../../shared/staff/permissions.ts';
import { apiVariables, readApiSettings } from '../../workers/api/env.ts';
import { authVariables, readAuthSettings } from '../../workers/auth/env.ts';
import { newTokenKeys } from '../../workers/auth/token-keys.ts';
import { readWebhooksSettings, webhooksVariables } from '../../workers/webhooks/env.ts';
import { step } from '../progress.ts';
import type { Running } from '../running.ts';
import { bundle, stopBundler } from '../servers/bundle.ts';
import { keepRunning } from '../servers/kept-running.ts';
import { choosePort, freePort, isOpen } from '../servers/port.ts';
import { startPostgres } from '../servers/postgres.ts';
import { launch, type StopSignals } from '../servers/process.ts';
import { startRedis } from '../servers/redis.ts';
import { compatibilityDate, startWorkers, stopLeftWorkers, webhooksObjects } from '../servers/workerd.ts';
import { appendDemoHistory, demoSize, findDemoCustomer, finishDemoData } from './demo-data.ts';
import { ensureStaff } from './demo-staff.ts';
import { newChannelSecret, readSecrets, saveSecrets } from './secrets.ts';
import { root, type StartSettings } from './settings.ts';

const host = '127.0.0.1';
const stopSignals: StopSignals = [
  ['SIGTERM', 30_000],
  ['SIGKILL', 5_000],
];

export interface StackOptions {
  settings: StartSettings;
  /** The environment that the processes' own settings come from. */
  env: NodeJS.ProcessEnv;
  /** Data, logs and secrets. */
  folder: string;
  /** Called with a readable line when a part ends that nobody asked to. */
  onLoss: (line: string) => void;
  /** False starts no container and leaves the outbox alone, for measurements. */
  publisher?: boolean;
  /** Made-up customers on the first start, if their stream is read at all. */
  demoData?: boolean;
  /** Aborted, the start stops at the next step and takes everything down again. */
  signal: AbortSignal;
}

export type Stack = Omit<Running, 'pid'> &
  AsyncDisposable & {
    inside: Inside;
    /** One of the made-up customers, where there are any. */
    demoCustomer: string | undefined;
  };

/** What it takes to start others beside the Workers, on the same servers. */
interface Inside {
  /** What each Worker was given. */
  bindings: Record<'webhooks' | 'auth' | 'api', Record<string, string>>;
  urlFor(role: Role): string;
}

export async function startStack({
  settings,
  env,
  folder,
  onLoss,
  signal,
  publisher = true,
  demoData = false,
}: StackOptions): Promise<Stack> {
  await using starting = new AsyncDisposableStack();
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const log = (name: string) => join(folder, 'logs', `${name}.log`);
  const secretsFile = join(folder, 'secrets.json');
  const secrets = readSecrets(secretsFile);

  // Everything that can be wrong with settings is said before anything is started.
  const channelEnv: Record<string, string> = {};
  const { channels, faults } = readChannels(settings.channels, env);
  if (faults.length > 0)
    throw new SettingsFault(
      'recoup',
      faults.map((fault) => `CHANNELS: ${fault}`),
    );
  for (const [name, channel] of channels) {
    const [current, previous] = secretNames(name);
    const secret = env[current] || (secrets.channels[current] ?? newChannelSecret(channel));
    if (secret) channelEnv[current] = secret;
    if (secret && !env[current]) secrets.channels[current] = secret;
    for (const given of [previous, ...apiNames(name)]) if (env[given]) channelEnv[given] = env[given];
  }
  const tokenKeys = env.TOKEN_KEYS || secrets.tokenKeys || (await newTokenKeys());
  if (!env.TOKEN_KEYS) secrets.tokenKeys = tokenKeys;
  saveSecrets(secretsFile, secrets);
  const archiveMasterKeys = env.ARCHIVE_MASTER_KEYS || secrets.archiveMasterKeys;
  const projector = (databaseUrl: string, redisUrl: string) => ({
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    ARCHIVE_MASTER_KEYS: archiveMasterKeys,
    // Where the publisher writes, unless told otherwise.
    SERVICING_PAYMENT_EVENTS:
      env.SERVICING_PAYMENT_EVENTS || (settings.kafkaBrokers && env.KAFKA_TOPIC) || '',
    SERVICING_APPROVAL_EVENTS: env.SERVICING_APPROVAL_EVENTS || '',
    // The ledger tells them on a stream, which is not read beside topics.
    SERVICING_BALANCES: env.SERVICING_BALANCES || (publisher && !env.SERVICING_TOPICS ? 'ledger' : 'events'),
  });
  const doors = { neon: await freePort(), upstash: await freePort(), accepted: await freePort() };
  const ledgerPorts = { ledger: await freePort(), gateway: await freePort() };
  const gateway: Record<string, string> = publisher
    ? {
        LEDGER_GATEWAY_URL: `http://${host}:${ledgerPorts.gateway}`,
        LEDGER_GATEWAY_KEY: secrets.ledger.gatewayKey,
      }
    : {};
  const common = {
    DATABASE_FETCH_ENDPOINT: `http://${host}:${doors.neon}/sql`,
    UPSTASH_REDIS_REST_URL: `http://${host}:${doors.upstash}`,
    UPSTASH_REDIS_REST_TOKEN: secrets.upstashToken,
  };
  const bindings = (names: readonly string[], own: Record<string, string>, databaseUrl: string) => {
    const given = Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
    return { ...given, ...common, ...own, DATABASE_URL: databaseUrl };
  };
  const workers = (urlFor: (role: Role) => string) => ({
    webhooks: bindings(
      webhooksVariables,
      {
        CHANNELS: settings.channels,
        ...channelEnv,
        ACCEPTED_REDIS_REST_URL: `http://${host}:${doors.accepted}`,
        ACCEPTED_REDIS_REST_TOKEN: secrets.accepted.token,
      },
      urlFor('recoup_webhooks'),
    ),
    auth: bindings(
      authVariables,
      { TOKEN_KEYS: tokenKeys, SIGN_IN_KEYS: env.SIGN_IN_KEYS || secrets.signInKeys },
      urlFor('recoup_auth'),
    ),
    api: bindings(
      apiVariables,
      { CHANNELS: settings.channels, METRICS_ACCESS: env.METRICS_ACCESS || 'open', ...gateway },
      urlFor('recoup_api'),
    ),
  });
  const unknownDatabase = (role: Role) => `postgresql://${role}:unknown@${host}/recoup`;
  checkSettings(workers(unknownDatabase), {
    ...env,
    ...projector(unknownDatabase('recoup_projector'), `redis://${host}`),
  });
  await stopLeftWorkers(folder);
  const ports = {
    api: await choosePort('The front door (PORT)', settings.ports.api),
    webhooks: await choosePort('The webhooks Worker (WEBHOOKS_PORT)', settings.ports.webhooks),
    auth: await choosePort('The auth Worker (AUTH_PORT)', settings.ports.auth),
  };

  const [postgres, redis, acceptedRedis] = await settled([
    settings.databaseUrl
      ? { url: settings.databaseUrl }
      : startPostgres({
          dataDir: join(folder, 'postgres'),
          logFile: log('postgres'),
          password: secrets.postgres,
          onLoss,
        }).then((server) => starting.adopt(server, () => server.stop())),
    settings.redisUrl
      ? { url: settings.redisUrl }
      : startRedis({
          dataDir: join(folder, 'redis'),
          logFile: log('redis'),
          password: secrets.redis,
          onLoss,
        }).then((server) => starting.adopt(server, () => server.stop())),
    // One of its own: it keeps payments, and nothing else may fill it up or be emptied with it.
    startRedis({
      dataDir: join(folder, 'accepted-redis'),
      logFile: log('accepted-redis'),
      password: secrets.accepted.redis,
      onLoss,
    }).then((server) => starting.adopt(server, () => server.stop())),
  ]);
  signal.throwIfAborted();
  const ledgerDatabaseUrl = env.LEDGER_DATABASE_URL || beside(postgres.url, '_ledger');
  await step('Database: migrating', async () => {
    await migrate(postgres.url, () => {});
    await ensurePartitions(postgres.url);
    await addCommonPasswords(postgres.url);
    if (publisher) await migrateLedger(ledgerDatabaseUrl, () => {});
    await setRolePasswords(postgres.url, secrets.roles);
  });
  const urlFor = (role: Role, databaseUrl = postgres.url): string => {
    const url = new URL(databaseUrl);
    url.username = role;
    url.password = secrets.roles[role];
    return url.href;
  };
  secrets.apiKey = await liveApiKey(postgres.url, secrets.apiKey);
  secrets.staff = await ensureStaff(postgres.url, secrets.staff, demoData);
  saveSecrets(secretsFile, secrets);

  const nodeProcess = async (
    name: string,
    script: string,
    own: Record<string, string>,
    readyPort?: number,
    start = launch,
  ) => {
    const path = join(root, script);
    const server = await start({
      name,
      command: process.execPath,
      args: ['--disable-warning=TimeoutNegativeWarning', path],
      cwd: root,
      // On one machine they cannot all have the same port for probes; nobody asks for any here.
      env: { ...env, PROBE_PORT: '', ...own },
      logFile: log(name),
      pidFile: join(folder, `${name}.pid`),
      marker: path,
      stopSignals,
      isReady: async () => readyPort === undefined || isOpen(readyPort),
      readyWithinMs: 15_000,
      onLoss,
    });
    starting.defer(() => server.stop());
  };
  signal.throwIfAborted();
  const stream = readProjectorSettings({ ...env, ...projector(urlFor('recoup_projector'), redis.url) }).redis
    ?.inboxes[0];
  const demo = { databaseUrl: postgres.url, redisUrl: redis.url, stream: stream ?? '', env };
  // Before the projector runs, so that it folds while the rest starts.
  const added = demoData && publisher && stream !== undefined && (await appendDemoHistory(demo));
  await step('Workers and containers: starting', async () => {
    const [webhooks, auth, api] = await settled([
      bundle(join(root, 'workers/webhooks/main.ts')),
      bundle(join(root, 'workers/auth/main.ts')),
      bundle(join(root, 'workers/api/main.ts')),
      nodeProcess('neon-door', 'dev/doors/neon.ts', { NEON_DOOR_PORT: String(doors.neon) }, doors.neon),
      nodeProcess(
        'upstash-door',
        'dev/doors/upstash.ts',
        {
          UPSTASH_DOOR_PORT: String(doors.upstash),
          UPSTASH_DOOR_TOKEN: secrets.upstashToken,
          REDIS_URL: redis.url,
        },
        doors.upstash,
      ),
      nodeProcess(
        'accepted-door',
        'dev/doors/upstash.ts',
        {
          UPSTASH_DOOR_PORT: String(doors.accepted),
          UPSTASH_DOOR_TOKEN: secrets.accepted.token,
          REDIS_URL: acceptedRedis.url,
        },
        doors.accepted,
      ),
      nodeProcess('drain', 'containers/drain/main.ts', {
        DATABASE_URL: urlFor('recoup_drain'),
        ACCEPTED_REDIS_URL: acceptedRedis.url,
      }),
      publisher &&
        nodeProcess('publisher', 'containers/publisher/main.ts', {
          DATABASE_URL: urlFor('recoup_publisher'),
          REDIS_URL: redis.url,
        }),
      publisher &&
        nodeProcess('ingest', 'containers/ingest/main.ts', { DATABASE_URL: urlFor('recoup_ingest') }),
      publisher &&
        nodeProcess('ledger', 'containers/ledger/main.ts', {
          DATABASE_URL: urlFor('recoup_ledger'),
          LEDGER_DATABASE_URL: urlFor('recoup_ledger', ledgerDatabaseUrl),
          LEDGER_PORT: String(ledgerPorts.ledger),
          LEDGER_KEYS: secrets.ledger.key,
          REDIS_URL: redis.url,
        }),
      publisher &&
        nodeProcess('posting', 'containers/posting/main.ts', {
          DATABASE_URL: urlFor('recoup_posting'),
          LEDGER_SERVICE_URL: `${host}:${ledgerPorts.ledger}`,
          LEDGER_SERVICE_KEY: secrets.ledger.key,
        }),
      publisher &&
        nodeProcess('ledger-gateway', 'containers/ledger-gateway/main.ts', {
          LEDGER_SERVICE_URL: `${host}:${ledgerPorts.ledger}`,
          LEDGER_SERVICE_KEY: secrets.ledger.key,
          LEDGER_GATEWAY_PORT: String(ledgerPorts.gateway),
          LEDGER_GATEWAY_KEYS: secrets.ledger.gatewayKey,
        }),
      // It ends itself when a lane hangs, in order to be started again.
      publisher &&
        nodeProcess(
          'projector',
          'containers/projector/main.ts',
          projector(urlFor('recoup_projector'), redis.url),
          undefined,
          (plan) => keepRunning({ ...plan, onLoss }),
        ),
    ]);
    await stopBundler();
    const bound = workers(urlFor);
    const at = (port: number) => ({ listen: { host, port }, compatibilityDate });
    const workerd = await startWorkers({
      folder,
      logFile: log('workers'),
      onLoss,
      workers: [
        {
          name: 'webhooks',
          script: webhooks,
          bindings: bound.webhooks,
          objects: webhooksObjects,
          ...at(ports.webhooks),
        },
        { name: 'auth', script: auth, bindings: bound.auth, ...at(ports.auth) },
        {
          name: 'api',
          script: api,
          bindings: bound.api,
          services: { WEBHOOKS: 'webhooks', AUTH: 'auth' },
          ...at(ports.api),
        },
      ],
    });
    starting.defer(() => workerd.stop());
  });
  const urls = {
    api: `http://${host}:${ports.api}`,
    webhooks: `http://${host}:${ports.webhooks}`,
    auth: `http://${host}:${ports.auth}`,
  };
  await step('Health: waiting until all is well', () =>
    untilHealthy(
      publisher
        ? { ...urls, ledger: `http://${host}:${ledgerPorts.gateway}` }
        : { webhooks: urls.webhooks, auth: urls.auth },
      signal,
    ),
  );

  if (added) {
    const { customers, events } = demoSize;
    await step(`Demo data: folding ${events} events of ${customers} customers`, () =>
      finishDemoData(demo, signal),
    );
  }

  const demoCustomer = await findDemoCustomer(postgres.url);

  const running = starting.move();
  return {
    urls,
    databaseUrl: postgres.url,
    ...(publisher ? { ledgerDatabaseUrl } : {}),
    redisUrl: redis.url,
    acceptedRedisUrl: acceptedRedis.url,
    kafkaBrokers: settings.kafkaBrokers ?? null,
    channels: Object.fromEntries(
      [...channels].map(([name, { name: _, secrets: __, api: ___, ...configuration }]) => [
        name,
        {
          ...configuration,
          secret: channelEnv[secretNames(name)[0]] ?? '',
          url: `${urls.api}/api/v1/${configuration.events ? 'events' : 'payments/webhook'}/${name}`,
        },
      ]),
    ),
    apiKey: secrets.apiKey,
    staff: secrets.staff,
    archiveMasterKeys,
    demoCustomer,
    inside: { bindings: workers(urlFor), urlFor },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A database of the same server, named after the other one. */
function beside(databaseUrl: string, ending: string): string {
  const url = new URL(databaseUrl);
  url.pathname += ending;
  return url.href;
}

/** Promise.all that waits for the others too when one fails, so that what they started is known and can be stopped. */
async function settled<T extends readonly unknown[]>(
  work: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

function checkSettings(
  bound: Record<'webhooks' | 'auth' | 'api', Record<string, string>>,
  projector: NodeJS.ProcessEnv,
): void {
  const door = { fetch: () => {} };
  const faults = [
    () => readWebhooksSettings(bound.webhooks),
    () => readAuthSettings(bound.auth),
    () => readApiSettings({ ...bound.api, WEBHOOKS: door, AUTH: door }),
    () => readProjectorSettings(projector),
  ].flatMap((read) => {
    try {
      read();
      return [];
    } catch (error) {
      if (error instanceof SettingsFault) return error.faults;
      throw error;
    }
  });
  if (faults.length > 0) throw new SettingsFault('recoup', [...new Set(faults)]);
}

/** The kept key where it still is a live one with every permission, else a new one. */
async function liveApiKey(databaseUrl: string, token: string | undefined): Promise<string> {
  const db = openPool({
    url: databaseUrl,
    min: 0,
    max: 1,
    applicationName: 'recoup-start',
    timeoutMs: 10_000,
  });
  try {
    const scopes = Object.keys(permissions) as Permission[];
    const held = await authenticateKey(db, token);
    if (token && held && scopes.every((scope) => held.grants.has(scope))) return token;
    return (await createApiKey(db, { name: 'local start', scopes, expiresAt: null, actor: 'job:start' }))
      .token;
  } finally {
    await db.close();
  }
}

const healthyWithinMs = 30_000;

async function untilHealthy(urls: Record<string, string>, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + healthyWithinMs;
  for (;;) {
    signal.throwIfAborted();
    const answers = await Promise.all(
      Object.entries(urls).map(async ([name, url]) => {
        const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) }).catch(
          () => undefined,
        );
        return answer?.ok ? undefined : `${name}: ${answer ? await answer.text() : 'no answer'}`;
      }),
    );
    const sick = answers.filter((answer) => answer !== undefined);
    if (sick.length === 0) return;
    if (Date.now() > deadline)
      throw new Error(`not healthy after ${healthyWithinMs / 1000} s: ${sick.join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
