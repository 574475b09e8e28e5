// Something to look at on the first start: a small history of made-up customers, appended to the stream that the
// projector reads, and payments of now for some of their loans. Nothing is added where anything was folded before or
// waits to be.

import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { openPool, type Pool } from '../../containers/database.ts';
import { readStagingSettings } from '../../containers/ingest/env.ts';
import { calendarDate } from '../../shared/calendar-date.ts';
import { parseAmount } from '../../shared/money.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { histories } from '../histories/histories.ts';
import type { Entry } from '../histories/senders.ts';
import { openStreamTarget } from '../histories/targets.ts';
import { say } from '../progress.ts';

export const demoSize = { customers: 60, events: 3_000, payments: 12 };

const days = 180;
const dayMs = 24 * 60 * 60 * 1_000;
const batchSize = 500;
const foldedWithinMs = 30_000;

export interface DemoPlace {
  databaseUrl: string;
  redisUrl: string;
  stream: string;
  /** Where the business zone and the currency are. */
  env: NodeJS.ProcessEnv;
}

/** Appends the history where nothing is yet; answers whether it did. */
export async function appendDemoHistory({ databaseUrl, redisUrl, stream, env }: DemoPlace): Promise<boolean> {
  const isNew = await withDatabase(databaseUrl, async (db) => (await countFolded(db)) === 0);
  if (!isNew || (await lengthOf(redisUrl, stream)) > 0) return false;
  // Until yesterday: nothing of it lies in the future, whatever the time is.
  const dayBefore = (count: number) => new Date(Date.now() - count * dayMs).toISOString().slice(0, 10);
  const entries = histories({
    customers: demoSize.customers,
    events: demoSize.events,
    seed: 1,
    from: dayBefore(days),
    to: dayBefore(1),
    duplicates: 0.02,
    disorder: 0.05,
    ...readStagingSettings(env).business,
  });
  const target = await openStreamTarget({
    url: redisUrl,
    stream,
    limit: Number.POSITIVE_INFINITY,
    waiting: () => {},
  });
  try {
    for (let batch = take(entries, batchSize); batch.length > 0; batch = take(entries, batchSize))
      await target.take(batch);
  } finally {
    await target.close();
  }
  return true;
}

/** Waits until the history is folded, then records the payments. What takes too long is said and left to itself. */
export async function finishDemoData({ databaseUrl, env }: DemoPlace, signal: AbortSignal): Promise<void> {
  await withDatabase(databaseUrl, async (db) => {
    const deadline = Date.now() + foldedWithinMs;
    for (;;) {
      signal.throwIfAborted();
      const folded = await countFolded(db);
      if (folded >= demoSize.events) break;
      if (Date.now() > deadline) return say(`${folded} of them are folded; the others follow.`);
      await sleep(50);
    }
    const { business } = readStagingSettings(env);
    const accounts = await db.query<{ number: string; cif: string }>(
      `select account.account_number as number, min(name.value) as cif
       from servicing.loan_accounts account
       join servicing.identifiers name on name.target = 'customer:' || account.customer_id and name.kind = 'cif'
       group by account.account_number order by account.account_number limit $1`,
      [demoSize.payments],
    );
    const now = new Date();
    const payments = accounts.flatMap(({ number, cif }, i) => {
      const amount = parseAmount(String(40 + 5 * i), business.currency);
      if (!amount.ok) return [];
      return {
        namespace: 'default',
        referenceNumber: `DEMO-${number}`,
        loanAccountNumber: number,
        cif,
        amount: amount.value,
        paymentDate: now,
        paidOn: calendarDate(now, business.timeZone),
        paymentChannel: 'demo',
        metadata: '{"note":"demo data"}',
        requiresReceipt: false,
        source: 'sync' as const,
        actor: 'job:demo-data',
      };
    });
    await recordPayments(db, payments);
  });
}

/** What staff may call one of them, where they are there. */
export const findDemoCustomer = (databaseUrl: string): Promise<string | undefined> =>
  withDatabase(databaseUrl, async (db) => {
    const found = await db.query<{ value: string }>(
      "select value from servicing.identifiers where kind = 'cif' and value = 'CIF000000' limit 1",
    );
    return found[0]?.value;
  });

function take(entries: Iterator<Entry>, count: number): Entry[] {
  const taken: Entry[] = [];
  while (taken.length < count) {
    const { done, value } = entries.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

async function countFolded(db: Pool): Promise<number> {
  const [row] = await db.query<{ count: number }>('select count(*)::int as count from servicing.event_ids');
  return row?.count ?? 0;
}

async function lengthOf(url: string, stream: string): Promise<number> {
  const redis = createClient({ url, socket: { connectTimeout: 3_000, reconnectStrategy: false } });
  redis.on('error', () => {});
  await redis.connect();
  try {
    return await redis.xLen(stream);
  } finally {
    redis.destroy();
  }
}

async function withDatabase<T>(url: string, work: (db: Pool) => Promise<T>): Promise<T> {
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-demo', timeoutMs: 10_000 });
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}
