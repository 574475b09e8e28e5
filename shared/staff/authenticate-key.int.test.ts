import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { generateApiKey } from './api-key.ts';
import { authenticateKey } from './authenticate-key.ts';
import { createApiKey } from './create-key.ts';
import { revokeApiKey } from './revoke-key.ts';

let database: TestDatabase;
let owner: Pool;
let api: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
});
afterAll(async () => {
  await Promise.all([owner.close(), api.close()]);
  await database.drop();
});

const create = (expiresAt: Date | null = null) =>
  createApiKey(owner, {
    name: 'Night desk',
    scopes: ['payments:read', 'metrics:read'],
    expiresAt,
    actor: 'test',
  });
const change = (prefix: string, set: string) =>
  owner.query(`update staff.api_keys set ${set} where prefix = $1`, [prefix]);

test('a live key is its owner, with name, scopes and expiry', async () => {
  const expiresAt = new Date(Date.now() + 3_600_000);
  const { token, prefix } = await create(expiresAt);
  expect(await authenticateKey(api, token)).toEqual({
    kind: 'key',
    actor: `key:${prefix}`,
    prefix,
    name: 'Night desk',
    grants: new Map([
      ['payments:read', 'all'],
      ['metrics:read', 'all'],
    ]),
    expiresAt,
    lastUsedAt: null,
  });
});

test('a key without an expiry stays live', async () => {
  const { token } = await create();
  expect((await authenticateKey(api, token))?.expiresAt).toBe(null);
});

test.each([
  ['a revoked key', 'revoked_at = now()'],
  ['a key revoked a moment from now', `revoked_at = now() + interval '1 minute'`],
  ['a key that expired a moment ago', `expires_at = now() - interval '1 millisecond'`],
  ['a key that expired and was revoked', 'expires_at = now(), revoked_at = now()'],
])('%s is nobody', async (_, set) => {
  const { token, prefix } = await create();
  expect(await authenticateKey(api, token)).toBeDefined();
  await change(prefix, set);
  expect(await authenticateKey(api, token)).toBe(undefined);
});

test('an unknown key, a malformed one and none at all are nobody', async () => {
  const { token, prefix } = await create();
  const { token: other } = await generateApiKey();
  const unknown = [other, `rk_${prefix}_${other.slice(-43)}`, `${token}x`, prefix, '', undefined];
  for (const presented of unknown) expect(await authenticateKey(api, presented)).toBe(undefined);
});

test('a scope that this version does not know is dropped, the others stay', async () => {
  const { token, prefix } = await create();
  await change(prefix, `scopes = array['payments:read', 'loans:burn']`);
  expect([...((await authenticateKey(api, token))?.grants.keys() ?? [])]).toEqual(['payments:read']);
});

test('the token is kept nowhere, and a key without a scope is not kept at all', async () => {
  const { token } = await create();
  const rows = await owner.query<{ row: string }>('select to_json(k)::text as row from staff.api_keys k');
  expect(rows.length).toBeGreaterThan(0);
  expect(rows.some(({ row }) => row.includes(token.slice(-43)))).toBe(false);
  const nothing = createApiKey(owner, { name: 'n', scopes: [], expiresAt: null, actor: 'test' });
  await expect(nothing).rejects.toMatchObject({ sqlState: '23514', retryable: false });
});

test('who looks keys up cannot change them, who manages them cannot change what they are', async () => {
  const auth = openPool({
    url: database.urlFor('recoup_auth'),
    min: 0,
    max: 1,
    applicationName: 'test',
    timeoutMs: 10_000,
  });
  const { token, prefix } = await create();
  expect((await authenticateKey(auth, token))?.prefix).toBe(prefix);
  for (const db of [api, auth]) {
    for (const write of [
      `update staff.api_keys set scopes = '{users:manage}'`,
      'delete from staff.api_keys',
    ]) {
      await expect(db.query(write)).rejects.toMatchObject({ sqlState: '42501' });
    }
  }
  const key = { name: 'n', scopes: ['payments:read'], expiresAt: null, actor: 'test' } as const;
  await expect(createApiKey(api, key)).rejects.toMatchObject({ sqlState: '42501' });
  await expect(revokeApiKey(api, { prefix, actor: 'x' })).rejects.toMatchObject({ sqlState: '42501' });
  await auth.close();
});

test('ending a key names who did it, once, and its holder is nobody from then on', async () => {
  const { token, prefix } = await create();
  expect(await revokeApiKey(owner, { prefix, actor: 'user:first' })).toBe(true);
  expect(await revokeApiKey(owner, { prefix, actor: 'user:second' })).toBe(false);
  expect(await authenticateKey(api, token)).toBe(undefined);
  const [row] = await owner.query('select revoked_by from staff.api_keys where prefix = $1', [prefix]);
  expect(row).toEqual({ revoked_by: 'user:first' });
});
