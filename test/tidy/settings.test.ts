// .env.example and what processes parse are the same list, and the values it shows are the defaults.

import { expect, test } from 'vitest';
import { readDirectorySettings } from '../../containers/directory/env.ts';
import { readDrainSettings } from '../../containers/drain/env.ts';
import { readEdgeSettings } from '../../containers/edge/env.ts';
import { readIngestSettings, readStagingSettings } from '../../containers/ingest/env.ts';
import { readLedgerSettings } from '../../containers/ledger/env.ts';
import { readLedgerGatewaySettings } from '../../containers/ledger-gateway/env.ts';
import { readPostingSettings } from '../../containers/posting/env.ts';
import { readProjectorSettings } from '../../containers/projector/env.ts';
import { readPublisherSettings } from '../../containers/publisher/env.ts';
import { readStartSettings } from '../../dev/stack/settings.ts';
import { readWorkersSettings } from '../../dev/workers.ts';
import { roles } from '../../drizzle/migrate.ts';
import { apiNames, secretNames } from '../../shared/payments/channel.ts';
import { apiVariables, readApiSettings } from '../../workers/api/env.ts';
import { authVariables, readAuthSettings } from '../../workers/auth/env.ts';
import { newSignInKey } from '../../workers/auth/sign-in-keys.ts';
import { newTokenKeys } from '../../workers/auth/token-keys.ts';
import { readWebhooksSettings, webhooksVariables } from '../../workers/webhooks/env.ts';
import { files, namesIn, read } from './repository.ts';

const example = [...read('.env.example').matchAll(/^#([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => ({
  name: name as string,
  value: value as string,
}));

/** What a runtime binds, not settings. */
const bindings = ['AUTH', 'GROUP_COMMIT', 'POSTGRES', 'RECENT_PAYMENTS', 'SCRYPT', 'WEBHOOKS'];
/** The system's own. */
const inherited = ['CI', 'HOME', 'PATH', 'VITEST_POOL_ID'];

function parsedNames(): string[] {
  const schemas = [
    ...files('{workers,containers,dev}/**/env.ts'),
    ...files('{workers,containers,dev}/**/settings.ts'),
    'containers/kafka-settings.ts',
    'containers/ledger-settings.ts',
    'dev/workers.ts',
    'workers/staff-settings.ts',
  ];
  const inSchemas = schemas.flatMap((path) => namesIn(read(path), /(?<![\w'"])([A-Z][A-Z0-9_]{2,}):/g));
  const elsewhere = files('{workers,containers,shared,drizzle,dev,bench,test}/**/*.ts').flatMap((path) =>
    namesIn(read(path), /process\.env\.([A-Z][A-Z0-9_]*)/g),
  );
  const names = new Set([
    ...inSchemas,
    ...elsewhere,
    ...namesIn(read('containers/edge/worker-settings.ts'), /'([A-Z]+_DATABASE_URL)'/g),
    ...namesIn(read('compose.yaml'), /\$\{([A-Z][A-Z0-9_]*)/g),
    ...roles.map((role) => `${role.toUpperCase()}_PASSWORD`),
    ...secretNames('standard'),
    ...apiNames('gocardless'),
  ]);
  return [...names].filter((name) => !bindings.includes(name) && !inherited.includes(name)).toSorted();
}

test('every setting that a process parses is in .env.example, and every one there is parsed by somebody', () => {
  expect(example.map(({ name }) => name).toSorted()).toEqual(parsedNames());
});

test('the search for names misses none that a Worker exports', () => {
  const exported = [...webhooksVariables, ...authVariables, ...apiVariables];
  expect(parsedNames()).toEqual(expect.arrayContaining(exported.filter((name) => !bindings.includes(name))));
});

test('a copy of .env.example changes nothing: every line is a comment', () => {
  for (const line of read('.env.example').split('\n')) expect(line).toMatch(/^(#|$)/);
});

const database = 'postgresql://user:password@host/database';
const edge = {
  DATABASE_URL: database,
  UPSTASH_REDIS_REST_URL: 'https://host',
  UPSTASH_REDIS_REST_TOKEN: '0123456789abcdef',
};
const tokenKeys = await newTokenKeys();
const signInKeys = newSignInKey('test');
const door = { fetch: async () => new Response() };
const channels = {
  CHANNELS: '{"standard":{"scheme":"standard"},"servicing":{"scheme":"standard","events":true}}',
};

test.each<[string, (env: Record<string, string>) => unknown, Record<string, string>]>([
  ['the webhooks Worker', readWebhooksSettings, { ...edge, ...channels }],
  [
    'the auth Worker',
    (env) => {
      const { tokens, tokenKeys: _, signInKeys: __, ...own } = readAuthSettings(env);
      return { ...own, published: tokens.published };
    },
    { ...edge, TOKEN_KEYS: tokenKeys, SIGN_IN_KEYS: signInKeys },
  ],
  [
    'the front door',
    (env) => {
      const { tokenKeys: _, ...own } = readApiSettings({ ...env, WEBHOOKS: door, AUTH: door });
      return own;
    },
    edge,
  ],
  ['the publisher', readPublisherSettings, { DATABASE_URL: database, REDIS_URL: 'redis://host' }],
  ['ingest', readIngestSettings, { DATABASE_URL: database }],
  [
    'the directory',
    readDirectorySettings,
    {
      DATABASE_URL: database,
      DIRECTORY_KEY: '0123456789abcdef0123456789abcdef',
      DIRECTORY_KIND: 'openldap',
      DIRECTORY_LDAP_URL: 'ldaps://host',
      DIRECTORY_BASE_DN: 'dc=host',
      DIRECTORY_BIND_DN: 'cn=reader,dc=host',
      DIRECTORY_BIND_PASSWORD: 'secret',
    },
  ],
  [
    'the ledger',
    readLedgerSettings,
    {
      DATABASE_URL: database,
      LEDGER_DATABASE_URL: database,
      LEDGER_KEYS: '0123456789abcdef0123456789abcdef',
      REDIS_URL: 'redis://host',
    },
  ],
  [
    "the ledger's gateway",
    readLedgerGatewaySettings,
    { LEDGER_SERVICE_URL: 'host:50051', LEDGER_GATEWAY_KEYS: '0123456789abcdef0123456789abcdef' },
  ],
  ['posting', readPostingSettings, { DATABASE_URL: database, LEDGER_SERVICE_URL: 'host:50051' }],
  ['the drain', readDrainSettings, { DATABASE_URL: database, ACCEPTED_REDIS_URL: 'redis://host' }],
  [
    'the projector',
    readProjectorSettings,
    {
      DATABASE_URL: database,
      REDIS_URL: 'redis://host',
      ARCHIVE_MASTER_KEYS: `name:${Buffer.alloc(32).toString('base64')}`,
    },
  ],
  ['staging', readStagingSettings, {}],
  [
    'containers/edge',
    (env) => {
      const { bindings: _, ...own } = readEdgeSettings(env);
      return own;
    },
    {
      ...edge,
      ...channels,
      TOKEN_KEYS: tokenKeys,
      SIGN_IN_KEYS: signInKeys,
      WEBHOOKS_DATABASE_URL: database,
      AUTH_DATABASE_URL: database,
      API_DATABASE_URL: database,
      EDGE_DATABASE_URL: database,
    },
  ],
  ['npm start', readStartSettings, {}],
  [
    'dev/workers.ts',
    (env) => {
      const { host, ports } = readWorkersSettings(env);
      return { host, ports };
    },
    {
      ...edge,
      ...channels,
      TOKEN_KEYS: tokenKeys,
      SIGN_IN_KEYS: signInKeys,
      WEBHOOKS_DATABASE_URL: database,
      AUTH_DATABASE_URL: database,
      API_DATABASE_URL: database,
    },
  ],
])('the values in .env.example are the defaults of %s', (_, readSettings, required) => {
  const shown = Object.fromEntries(example.map(({ name, value }) => [name, value]));
  expect(readSettings({ ...shown, ...required })).toEqual(readSettings(required));
});
