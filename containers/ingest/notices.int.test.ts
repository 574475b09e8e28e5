// Notices from the webhook's arrival to the recorded facts, against servers that speak GoCardless's and Plaid's API.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DatabaseFault } from '../../shared/database.ts';
import { createLog } from '../../shared/log.ts';
import { type Arrival, recordArrivals } from '../../shared/payments/arrival.ts';
import { type Channel, readChannels, schemeOf } from '../../shared/payments/channel.ts';
import { removeOldNotices, retryNotice } from '../../shared/payments/settle-notices.ts';
import { readNotices } from '../../shared/read/channel-posts.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import {
  type GoCardless,
  goCardlessEvent,
  goCardlessPayment,
  startGoCardless,
  token,
} from '../../test/providers/gocardless.ts';
import * as plaidApi from '../../test/providers/plaid.ts';
import { openPool, type Pool } from '../database.ts';
import { askingNotices } from './notices.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;
let api: Pool;
let ingest: Pool;
let gocardless: GoCardless;
let plaid: plaidApi.Plaid;
let channels: Map<string, Channel>;
const business = { timeZone: 'UTC', currency: 'EUR' };

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 8, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  webhooks = open(database.urlFor('recoup_webhooks'));
  api = open(database.urlFor('recoup_api'));
  ingest = open(`${database.url}?options=-c%20role%3Drecoup_ingest`);
  gocardless = await startGoCardless();
  plaid = await plaidApi.startPlaid();
  const configured = readChannels(
    JSON.stringify({
      debits: { scheme: 'gocardless' },
      ach: { scheme: 'plaid', clientId: plaidApi.clientId },
      bank: { scheme: 'standard' },
    }),
    {
      CHANNEL_DEBITS_API_URL: gocardless.url,
      CHANNEL_DEBITS_API_TOKEN: token,
      CHANNEL_ACH_API_URL: plaid.url,
      CHANNEL_ACH_API_TOKEN: plaidApi.token,
    },
  );
  expect(configured.faults).toEqual([]);
  channels = configured.channels;
});
afterAll(async () => {
  await Promise.all([gocardless, plaid].map((server) => server.close()));
  await Promise.all([owner, webhooks, api, ingest].map((pool) => pool.close()));
  await database.drop();
});
beforeEach(async () => {
  for (const table of [
    'payment_notices',
    'payments',
    'payment_references',
    'payment_reversals',
    'payment_failures',
  ])
    await owner.query(`delete from payment_service.${table}`);
  gocardless.payments.clear();
  gocardless.asked.length = 0;
  plaid.events.length = 0;
  plaid.transfers.clear();
});

/** As the webhooks Worker does with a body that is signed. */
async function deliver(name: string, body: object) {
  const channel = channels.get(name)!;
  const parsed = schemeOf(channel).parse(new TextEncoder().encode(JSON.stringify(body)), channel, business);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.refusal));
  return recordArrivals(webhooks, parsed.value.arrivals);
}
const lines: string[] = [];
const asker = (over: Partial<Parameters<typeof askingNotices>[0]> = {}) =>
  askingNotices({
    db: ingest,
    channels,
    business,
    log: createLog('info', {}, (line) => void lines.push(line)),
    fetch: (url, init) => fetch(url, init),
    timeoutMs: 2_000,
    batchSize: 10,
    ...over,
  });
const notices = async () => (await readNotices(api, {}, undefined, 100)).rows;
const payments = () =>
  owner.query<{ reference_number: string; amount: string; actor: string }>(
    'select reference_number, round(amount, 2)::text as amount, actor from payment_service.payments order by 1',
  );
/** Its time has come. */
const due = () => owner.query('update payment_service.payment_notices set next_try_at = now()');

const confirmed = (id: string, payment = id.replace('EV', 'PM')) =>
  goCardlessEvent('confirmed', { id, links: { payment } });

test('a notice is kept, asked about once, and its payment recorded', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  const body = { events: [confirmed('EV1')] };
  expect(await deliver('debits', body)).toEqual([{ outcome: 'kept' }]);
  expect(await deliver('debits', body)).toEqual([{ outcome: 'duplicate' }]);
  expect(await notices()).toMatchObject([
    { status: 'waiting', attempts: 0, noticeReference: 'EV1', subject: 'PM1' },
  ]);

  const { step, heartbeat } = asker();
  expect(await step()).toBe(1);
  expect(await step()).toBe(0);
  expect(await payments()).toEqual([{ reference_number: 'PM1', amount: '100.50', actor: 'channel:debits' }]);
  expect(await notices()).toMatchObject([{ status: 'done', lastError: null, settledAt: expect.any(String) }]);
  expect(await deliver('debits', body)).toEqual([{ outcome: 'duplicate' }]);
  expect(await step()).toBe(0);
  expect(gocardless.asked).toEqual(['GET /payments/PM1']);
  expect(heartbeat({ condition: 'running', failures: 0 })).toMatchObject({
    healthy: true,
    detail: { notices_channels: 2, notices_asked_total: 1, notices_failed_total: 0 },
  });
});

test('forty notices asked about by four processes at once are asked about once each', async () => {
  const events = Array.from({ length: 40 }, (_, i) => confirmed(`EV${i}`));
  for (const event of events) {
    const id = event.links.payment as string;
    gocardless.payments.set(id, goCardlessPayment({ id }));
  }
  await deliver('debits', { events });
  const processes = Array.from({ length: 4 }, () => asker({ batchSize: 3 }));
  const drain = async (process: ReturnType<typeof asker>) => {
    while ((await process.step()) > 0);
  };
  await Promise.all(processes.map(drain));
  expect(await payments()).toHaveLength(40);
  expect(gocardless.asked).toHaveLength(40);
});

test('a provider that is away, slow or wrong is asked again later, with what was wrong kept', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  await deliver('debits', { events: [confirmed('EV1')] });
  const { step } = asker({ timeoutMs: 200 });
  const errors: Array<string | null> = [];
  for (const reply of [{ status: 503, body: {} }, 'hang', { status: 200, body: '<html>' }] as const) {
    gocardless.next(reply);
    await due();
    expect(await step()).toBe(1);
    const [notice] = await notices();
    errors.push(notice?.lastError ?? null);
    expect(notice).toMatchObject({ status: 'waiting', attempts: errors.length });
    expect(await step()).toBe(0);
  }
  expect(errors).toEqual([
    'the API of debits answered 503',
    'the API of debits did not answer in time',
    'the API of debits answered 200 without JSON',
  ]);
  await due();
  await step();
  expect(await payments()).toHaveLength(1);
  expect(await notices()).toMatchObject([{ status: 'done', attempts: 0, lastError: null }]);
});

test('the waits double from 5 s to an hour, and after twenty attempts it has failed', async () => {
  await deliver('debits', { events: [confirmed('EV1', 'PM-unknown')] });
  const { step, heartbeat } = asker();
  const waits: number[] = [];
  for (let i = 1; i <= 20; i++) {
    await due();
    await step();
    const [row] = await owner.query<{ wait: number }>(
      'select extract(epoch from next_try_at - now())::float8 as wait from payment_service.payment_notices',
    );
    waits.push(row?.wait ?? 0);
  }
  for (const [i, expected] of [5, 10, 20, 40].entries()) {
    expect(waits[i]).toBeGreaterThan(expected - 3);
    expect(waits[i]).toBeLessThanOrEqual(expected);
  }
  expect(waits[18]).toBeGreaterThan(3_590);
  expect(waits[18]).toBeLessThanOrEqual(3_600);
  expect(await notices()).toMatchObject([
    { status: 'failed', attempts: 20, lastError: 'the API of debits answered 404' },
  ]);
  expect(heartbeat({ condition: 'running', failures: 0 }).detail).toMatchObject({ notices_failed_total: 1 });
});

test('an answer that is no payment fails at once and holds back no other; mended and asked again it is recorded', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1', metadata: { cif: 'C' } }));
  gocardless.payments.set('PM2', goCardlessPayment({ id: 'PM2' }));
  await deliver('debits', { events: [confirmed('EV1'), confirmed('EV2')] });
  const { step } = asker();
  await step();
  expect(await payments()).toMatchObject([{ reference_number: 'PM2' }]);
  const failed = (await notices()).find(({ subject }) => subject === 'PM1')!;
  expect(failed).toMatchObject({
    status: 'failed',
    lastError: 'payments.metadata.loan_account_number: expected a text of 1 to 20 characters',
  });

  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  expect(await step()).toBe(0);
  expect(await retryNotice(api, { noticeId: failed.id, actor: 'key:clerk' })).toEqual({
    ok: true,
    value: { before: 'failed' },
  });
  expect(await step()).toBe(1);
  expect(await payments()).toHaveLength(2);
  const after = (await notices()).find(({ id }) => id === failed.id);
  expect(after).toMatchObject({ status: 'done', retriedBy: 'key:clerk', retriedAt: expect.any(String) });
  expect(await retryNotice(api, { noticeId: failed.id, actor: 'a' })).toEqual({
    ok: false,
    refusal: { kind: 'done' },
  });
  expect(await retryNotice(api, { noticeId: crypto.randomUUID(), actor: 'a' })).toEqual({
    ok: false,
    refusal: { kind: 'unknown_notice' },
  });
});

test('a process that dies between asking and recording loses nothing: another one takes over when the claim runs out', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  await deliver('debits', { events: [confirmed('EV1')] });
  const dying = asker({ fetch: () => new Promise(() => {}) });
  void dying.step();
  await expect.poll(async () => (await notices())[0]?.attempts).toBe(1);
  const { step } = asker();
  expect(await step()).toBe(0);
  await due();
  expect(await step()).toBe(1);
  expect(await payments()).toHaveLength(1);
});

test('one who comes back late with an answer records nothing when another has taken over', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  await deliver('debits', { events: [confirmed('EV1')] });
  let answer = () => {};
  const late = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow = asker({ fetch: async (url, init) => late.then(() => fetch(url, { ...init, signal: null })) });
  const slowly = slow.step();
  await expect.poll(async () => (await notices())[0]?.attempts).toBe(1);
  await due();
  gocardless.next({ status: 503, body: {} });
  await asker().step();
  answer();
  await slowly;
  expect(await payments()).toEqual([]);
  expect(await notices()).toMatchObject([{ status: 'waiting', attempts: 2 }]);
});

test('with the database away in the middle nothing is settled, and the fault is the loop’s', async () => {
  gocardless.payments.set('PM1', goCardlessPayment({ id: 'PM1' }));
  await deliver('debits', { events: [confirmed('EV1')] });
  const broken: Pool = {
    ...ingest,
    transaction: () => Promise.reject(new DatabaseFault('away', { cause: undefined })),
  };
  await expect(asker({ db: broken }).step()).rejects.toMatchObject({ retryable: true });
  expect(await notices()).toMatchObject([{ status: 'waiting', attempts: 1, lastError: null }]);
  await due();
  await asker().step();
  expect(await payments()).toHaveLength(1);
});

const updates = {
  webhook_type: 'TRANSFER',
  webhook_code: 'TRANSFER_EVENTS_UPDATE',
  environment: 'production',
};
const transfer = (n: number) => `transfer-${n}`;
function settle(...numbers: number[]) {
  for (const n of numbers) {
    plaid.transfers.set(transfer(n), plaidApi.plaidTransfer({ id: transfer(n) }));
    plaid.events.push(plaidApi.plaidEvent('settled', { event_id: String(n), transfer_id: transfer(n) }));
  }
}
async function drain() {
  const { step } = asker();
  while ((await step()) > 0);
}

test('Plaid’s events are read on from the last one, page by page, each one asked about by itself', async () => {
  settle(...Array.from({ length: 60 }, (_, i) => i + 1));
  plaid.transfers.set(transfer(7), plaidApi.plaidTransfer({ id: transfer(7), metadata: {} }));
  await deliver('ach', updates);
  await drain();
  expect(await payments()).toHaveLength(59);
  const rows = await notices();
  expect(rows.filter(({ status }) => status === 'failed')).toMatchObject([{ subject: transfer(7) }]);
  expect(rows.find(({ standing }) => standing)).toMatchObject({ status: 'done' });

  settle(61);
  plaid.asked.length = 0;
  expect(await deliver('ach', updates)).toEqual([{ outcome: 'kept' }]);
  await drain();
  expect(await payments()).toHaveLength(60);
  expect(plaid.asked).toEqual(['POST /transfer/event/sync', 'POST /transfer/get']);
});

test('a standing notice that comes again while it is asked about is asked about once more', async () => {
  settle(1);
  await deliver('ach', updates);
  const during = asker({
    fetch: async (url, init) => {
      const answered = await fetch(url, init);
      if (url.endsWith('/transfer/event/sync')) {
        // What the answer does not hold yet.
        settle(2);
        await deliver('ach', updates);
      }
      return answered;
    },
  });
  expect(await during.step()).toBe(1);
  expect((await notices()).find(({ standing }) => standing)).toMatchObject({ status: 'waiting' });
  await drain();
  expect(await payments()).toMatchObject([
    { reference_number: transfer(1) },
    { reference_number: transfer(2) },
  ]);
});

test('a channel without a token, and one without an API, is not asked', async () => {
  const untold = new Map([...channels].map(([name, channel]) => [name, { ...channel, api: undefined }]));
  await deliver('debits', { events: [confirmed('EV1')] });
  const { step, heartbeat } = asker({ channels: untold });
  expect(await step()).toBe(0);
  expect(heartbeat({ condition: 'running', failures: 0 }).detail).toMatchObject({ notices_channels: 0 });
  expect(await notices()).toMatchObject([{ status: 'waiting', attempts: 0 }]);
});

test('a notice that has been done for ninety days is removed; others, and standing ones, stay', async () => {
  for (const id of ['PM1', 'PM2', 'PM3']) gocardless.payments.set(id, goCardlessPayment({ id }));
  await deliver('debits', { events: [confirmed('EV1'), confirmed('EV2'), confirmed('EV3')] });
  await deliver('ach', updates);
  await drain();
  await deliver('debits', { events: [confirmed('EV4')] });
  await owner.query(
    `update payment_service.payment_notices set settled_at = now() - interval '90 days 1 minute'
     where status = 'done' and notice_reference <> 'EV3'`,
  );
  expect(await removeOldNotices(ingest, 1)).toBe(1);
  expect(await removeOldNotices(ingest, 10)).toBe(1);
  const left = (await notices()).map(({ noticeReference }) => noticeReference);
  expect(left.toSorted()).toEqual(['EV3', 'EV4', 'TRANSFER.TRANSFER_EVENTS_UPDATE']);
});

test('a mixture is recorded with its notices, whatever the order', async () => {
  const notice = { channel: 'debits', subject: 'S', payload: '{}', standing: false, actor: 'channel:debits' };
  const arrivals: Arrival[] = ['B', 'A', 'B'].map((noticeReference) => ({
    kind: 'notice',
    notice: { ...notice, noticeReference },
  }));
  expect(await recordArrivals(webhooks, arrivals)).toEqual([
    { outcome: 'kept' },
    { outcome: 'kept' },
    { outcome: 'duplicate' },
  ]);
});

test('what is logged names ids and nothing of a payment', () => {
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('\n')).not.toMatch(/LN00001234|CIF000077|PM1|transfer-1/);
});
