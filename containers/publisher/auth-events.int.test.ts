// What concerns people and their sign-in is told to the log as seed 004's AuthEvent, by the publisher like any message.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { askedBy } from '../../shared/audit/asker.ts';
import { authEvent } from '../../shared/audit/events.ts';
import { note } from '../../shared/audit/note.ts';
import type { Database } from '../../shared/database.ts';
import type { OutboxMessage } from '../../shared/outbox/message.ts';
import { createUser } from '../../shared/staff/create-user.ts';
import { openSession } from '../../shared/staff/open-session.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { publishing } from './publish.ts';
import { openRedisLog } from './redis-log.ts';
import { readStream } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let publisher: Pool;
let auth: Database;
let redisUrl: string;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  publisher = open(database.urlFor('recoup_publisher'));
  redisUrl = (await createTestRedis()).url;
});
afterAll(async () => {
  await Promise.all([owner.close(), publisher.close()]);
  await database.drop();
});

/** What the log has got of auth.events since the last look, through the publisher. */
let read = 0;
async function published() {
  const log = openRedisLog({ kind: 'redis', url: redisUrl, streamMaxLength: 10_000 });
  const { step } = publishing({
    db: publisher,
    log,
    logKind: 'redis',
    batchSize: 100,
    idleMs: 50,
    checkEveryMs: 60_000,
    onUndeliverable: ({ reason }: { reason: string }) => expect.unreachable(reason),
  });
  while ((await step()) > 0);
  await log.close();
  const messages = (await readStream(redisUrl, 'auth.events')).slice(read);
  read += messages.length;
  return messages.map(({ eventId, key, payload }: Pick<OutboxMessage, 'eventId' | 'key' | 'payload'>) => {
    const event = authEvent.parse(JSON.parse(payload));
    expect([event.id, event.username ?? 'unknown']).toEqual([eventId, key]);
    return event;
  });
}

test('people who are made and changed, sign-ins, failures and ends are told, and nothing personal', async () => {
  const asker = { actor: 'user:root', address: '192.0.2.7', requestId: 'request-0001' };
  auth = askedBy(owner, asker);
  const made = await createUser(auth, {
    username: 'ada',
    displayName: 'Ada Lovelace',
    email: 'ada@example.com',
    team: null,
    roles: ['agent'],
    by: { source: 'password', hash: 'secret-hash', mustChange: false },
    actor: 'user:root',
  });
  if (!made.ok) throw new Error(made.refusal);
  const user = { userId: made.value.id, username: 'ada' };
  const from = { actor: 'user:root', address: '192.0.2.7', requestId: 'request-0001' };
  const events = await published();
  expect(events).toMatchObject([
    { ...user, type: 'USER_CREATED', status: 'SUCCESS', details: { ...from, action: 'user.created' } },
    { ...user, type: 'USER_UPDATED', status: 'SUCCESS', details: { ...from, action: 'user_role.created' } },
  ]);
  expect(JSON.stringify(events)).not.toMatch(/Lovelace|example\.com|secret/);

  await auth.query(`update staff.users set team = 'north'`);
  expect(await published()).toMatchObject([
    { ...user, type: 'USER_UPDATED', details: { action: 'user.changed', changed: ['team'] } },
  ]);

  const session = await openSession(owner, {
    userId: made.value.id,
    kind: 'browser',
    method: 'password',
    device: 'test',
    address: null,
    idleSeconds: 60,
    lifetimeSeconds: 60,
  });
  const ada = { kind: 'user', id: 'ada' };
  await note(auth, { action: 'sign_in.succeeded', subject: ada });
  await note(auth, {
    action: 'sign_in.failed',
    subject: { kind: 'user', id: 'eve' },
    details: { because: 'wrong_password' },
  });
  await note(auth, { action: 'sign_in.failed', details: {} });
  await note(auth, { action: 'sign_in.locked', subject: ada });
  await note(auth, {
    action: 'session.ended',
    subject: { kind: 'session', id: session.id },
    details: { because: 'signed_out' },
  });
  await note(auth, { action: 'password.changed', subject: ada });
  await note(auth, { action: 'token.refreshed', subject: ada });
  const told = await published();
  expect(told).toMatchObject([
    { ...user, type: 'LOGIN_SUCCESS', status: 'SUCCESS' },
    { username: 'eve', type: 'LOGIN_FAILED', status: 'FAILED', reason: 'wrong_password' },
    { type: 'LOGIN_FAILED', status: 'FAILED' },
    { ...user, type: 'LOGIN_FAILED', status: 'FAILED', reason: 'locked' },
    { ...user, type: 'LOGOUT', status: 'SUCCESS', reason: 'signed_out' },
    { ...user, type: 'USER_UPDATED', details: { action: 'password.changed' } },
  ]);
  expect(told[1]?.userId).toBeUndefined();
});

test('what is rolled back is not told', async () => {
  const undone = owner.transaction(async (tx) => {
    await note(tx, { action: 'sign_in.succeeded', subject: { kind: 'user', id: 'ada' } });
    throw new Error('no');
  });
  await expect(undone).rejects.toThrow('no');
  expect(await published()).toEqual([]);
});
