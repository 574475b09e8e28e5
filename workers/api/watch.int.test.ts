import { expect, test } from 'vitest';
import type { Database } from '../../shared/database.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { newPayment } from '../../shared/payments/testing.ts';
import { useProjections } from '../../shared/read/testing.ts';
import type { Caller } from '../../shared/staff/caller.ts';
import { createApiKey } from '../../shared/staff/create-key.ts';
import { Watch, type Watcher } from './watch.ts';

const world = useProjections();

async function callers(count: number): Promise<Caller[]> {
  const made = await Promise.all(
    Array.from({ length: count }, () =>
      createApiKey(world.owner, { name: 'x', scopes: ['payments:read'], expiresAt: null, actor: 'test' }),
    ),
  );
  return made.map(
    ({ prefix }) =>
      ({
        kind: 'key',
        actor: `key:${prefix}`,
        prefix,
        grants: new Map([['payments:read', 'all']]),
      }) as unknown as Caller,
  );
}

function counting(db: Database) {
  const asked: string[] = [];
  const query: Database['query'] = (text, params) => {
    asked.push(text.includes('live.changes') ? 'news' : 'grants');
    return db.query(text, params);
  };
  return { asked, db: { ...db, query } };
}

test('many streams ask the database once a round between them, whatever their number', async () => {
  const watch = new Watch();
  const { asked, db } = counting(world.api);
  const now = Date.now();
  const watchers = (await callers(20)).map((caller) => watch.enter(caller, now) as Watcher);
  const step = (at: number) =>
    Promise.all(
      watchers.map(async () => {
        await watch.askWhoMay(db, at);
        await watch.readNews(db, at);
      }),
    );
  await step(now);
  expect(asked.toSorted()).toEqual(['grants', 'news']);
  expect(watchers.every((watcher) => watch.isTrusted(watcher, now))).toBe(true);
  for (const at of [now + 500, now + 1_000, now + 1_500, now + 2_000, now + 2_500]) await step(at);
  expect(asked.toSorted()).toEqual(['grants', 'grants', 'news', 'news', 'news']);
});

test('what is read too late changes nothing any more', async () => {
  const watch = new Watch();
  const now = Date.now();
  await watch.readNews(world.api, now);
  let answer: (() => void) | undefined;
  const slow: Database = {
    ...world.api,
    async query(text, params) {
      const rows = await world.api.query(text, params);
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return rows as never;
    },
  };
  const late = watch.readNews(slow, now + 1_000);
  await expect.poll(() => answer).toBeDefined();
  await recordPayments(world.owner, [newPayment()]);
  await watch.readNews(world.api, now + 4_000);
  const { tip } = watch.feed;
  answer?.();
  await late;
  expect(watch.feed.tip).toBe(tip);
});

test('when whoever was at it does not come back, another one does it', async () => {
  const watch = new Watch();
  const never: Database = {
    query: () => new Promise(() => {}),
    arrays: () => new Promise(() => {}),
  };
  const now = Date.now();
  void watch.readNews(never, now);
  const { asked, db } = counting(world.api);
  await watch.readNews(db, now + 2_000);
  expect(asked).toEqual([]);
  await watch.readNews(db, now + 3_000);
  expect(asked).toEqual(['news']);
  expect(watch.feed.tip).toBeDefined();
});

test('one that has gone without a word is not counted for long', async () => {
  const watch = new Watch();
  const [caller] = (await callers(1)) as [Caller];
  const entered = Array.from({ length: 11 }, () => watch.enter(caller, 0));
  expect(entered.filter((watcher) => watcher === undefined)).toHaveLength(1);
  watch.stay(entered[0] as Watcher, 4_000);
  expect(Array.from({ length: 11 }, () => watch.enter(caller, 5_000)).filter(Boolean)).toHaveLength(9);
});
