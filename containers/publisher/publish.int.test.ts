// Steps of publishing over a real outbox, with a log in memory.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type EventLog, EventLogFault, TooLargeFault } from '../../shared/outbox/event-log.ts';
import { readQueueState } from '../../shared/outbox/queue-state.ts';
import { insert, message } from '../../shared/outbox/testing.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { destination, publishing } from './publish.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;

const pool = (url: string) =>
  openPool({ url, min: 0, max: 2, applicationName: 'publish-test', timeoutMs: 5_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = pool(database.url);
  db = pool(database.urlFor('recoup_publisher'));
});
beforeEach(() => owner.query('truncate outbox.messages, outbox.undeliverable'));
afterAll(async () => {
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

/** A publisher of batches of two; `append` is what its log does. */
function publisher(append: EventLog['append']) {
  const undeliverable: string[] = [];
  const { step, heartbeat } = publishing({
    db,
    log: { append, check: async () => {}, close: async () => {} },
    logKind: 'kafka',
    batchSize: 2,
    idleMs: 50,
    checkEveryMs: 60_000,
    onUndeliverable: ({ eventId }) => undeliverable.push(eventId),
  });
  const said = async () =>
    heartbeat({ condition: 'running', failures: 0 }, await readQueueState(db, destination));
  return { step, said, undeliverable };
}
const some = (count: number) => Array.from({ length: count }, (_, n) => message('loan', n));

test('batches double while more is waiting, up to ten times the setting, and begin small again', async () => {
  const batches: number[] = [];
  const { step } = publisher(async (messages) => void batches.push(messages.length));
  await insert(owner, some(55));
  while ((await step()) > 0);
  expect(batches).toEqual([2, 4, 8, 16, 20, 5]);
  batches.length = 0;
  await insert(owner, some(1));
  await step();
  await insert(owner, some(5));
  while ((await step()) > 0);
  expect(batches).toEqual([1, 2, 3]);
});

test('the heartbeat counts what was sent, how often the log was asked and how often it failed', async () => {
  let away = true;
  const { step, said } = publisher(async () => {
    if (away) throw new EventLogFault('away');
  });
  await insert(owner, some(3));
  await owner.query("update outbox.messages set created_at = now() - interval '90 seconds'");
  await expect(step()).rejects.toThrow('away');
  expect(await said()).toMatchObject({
    healthy: false,
    detail: {
      sent_total: 0,
      sent_per_second: 0,
      publish_attempts_total: 1,
      publish_failures_total: 1,
      oldest_waiting_seconds: expect.closeTo(90, -1),
    },
  });
  away = false;
  while ((await step()) > 0);
  const { healthy, detail } = await said();
  expect(healthy).toBe(true);
  expect(detail).toMatchObject({
    sent_total: 3,
    publish_attempts_total: 3,
    publish_failures_total: 1,
    oldest_waiting_seconds: 0,
  });
  expect(detail.sent_per_second).toBeGreaterThan(0);
  expect((await said()).detail.sent_per_second).toBe(0);
});

test('an undeliverable message is told once, and makes the publisher unhealthy until somebody has decided', async () => {
  const { step, said, undeliverable } = publisher(async (messages) => {
    if (messages.some(({ payload }) => payload.length > 1_000)) throw new TooLargeFault('too large');
  });
  const poison = message('loan', 1, { filler: 'x'.repeat(1_000) });
  await insert(owner, [poison, message('loan', 2)]);
  while ((await step()) > 0);
  expect(undeliverable).toEqual([poison.eventId]);
  expect(await said()).toMatchObject({
    healthy: false,
    detail: { log_ok: true, undeliverable: 1, sent_total: 1, publish_failures_total: 0 },
  });
  await owner.query('delete from outbox.undeliverable');
  expect(await said()).toMatchObject({ healthy: true, detail: { undeliverable: 0 } });
});

test('an undeliverable message can be sent again as docs/operate.md says', async () => {
  const sent: string[] = [];
  const { step } = publisher(async (messages) => {
    sent.push(...messages.map(({ eventId }) => eventId));
  });
  const kept = message('loan', 1);
  await insert(owner, [kept]);
  await owner.query(
    `with taken as (delete from outbox.messages returning *)
     insert into outbox.undeliverable select destination, position, topic, key, event_id, payload, 'test' from taken`,
  );
  const { readFileSync } = await import('node:fs');
  const operate = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');
  const statement = /^with again as .*?;$/ms.exec(operate)?.[0];
  await owner.query((statement as string).replace('<event id>', kept.eventId));
  expect(await step()).toBe(1);
  expect(sent).toEqual([kept.eventId]);
});
