import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { readRejectedBodies } from '../read/channel-posts.ts';
import { readChannels } from './channel.ts';
import { keepRejectedBodies, removeOldRejectedBodies } from './keep-rejected-bodies.ts';
import type { BodyRefusal } from './payment-body.ts';
import { type NewRejectedBody, rejectedBody } from './rejected-body.ts';
import { dismissRejectedBody, resendRejectedBody } from './resend-rejected-body.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;
let api: Pool;
let ingest: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  webhooks = open(database.urlFor('recoup_webhooks'));
  api = open(database.urlFor('recoup_api'));
  ingest = open(`${database.url}?options=-c%20role%3Drecoup_ingest`);
});
afterAll(async () => {
  await Promise.all([owner, webhooks, api, ingest].map((pool) => pool.close()));
  await database.drop();
});

const { channels } = readChannels('{"bank":{"scheme":"standard"},"psp":{"scheme":"adyen"}}', {});
const business = { timeZone: 'UTC', currency: 'EUR' };
let bodies = 0;
const payment = (over: object = {}) =>
  JSON.stringify({
    reference_number: `REF-${++bodies}`,
    loan_account_number: 'LN-1',
    cif: 'C-1',
    amount: '10.00',
    payment_date: '2026-11-20',
    ...over,
  });

const invalid: BodyRefusal = {
  kind: 'invalid',
  faults: [{ field: 'amount', code: 'not_positive', message: 'no' }],
};
async function keep(body: string, over: Partial<NewRejectedBody> = {}): Promise<string> {
  const kept = await rejectedBody({ channel: 'bank', body, refusal: invalid, requestId: 'request-1' }, []);
  await keepRejectedBodies(webhooks, [{ ...kept, ...over }]);
  const [row] = await owner.query<{ id: string }>(
    'select id from payment_service.rejected_bodies where body_hash = $1 and channel = $2',
    [kept.bodyHash, over.channel ?? 'bank'],
  );
  return row?.id ?? '';
}
const one = async (id: string) => (await readRejectedBodies(api, { id }, undefined, 1)).rows[0];
const resend = (id: string, corrected: string | null = null, actor = 'key:clerk') =>
  resendRejectedBody(api, { id, corrected, actor }, channels, business);

test('a body is kept once, with how often it came and what was last wrong with it', async () => {
  const body = payment();
  const id = await keep(body);
  expect(await keep(body, { requestId: 'request-2', refusal: { kind: 'malformed', reason: 'other' } })).toBe(
    id,
  );
  expect(await keep(body, { channel: 'psp' })).not.toBe(id);
  expect(await one(id)).toMatchObject({
    channel: 'bank',
    status: 'open',
    body,
    masked: false,
    refusal: '{"kind": "malformed", "reason": "other"}',
    requestId: 'request-2',
    timesSeen: 2,
    decidedBy: null,
    decidedAt: null,
    resentBody: null,
  });
  const kept = await rejectedBody({ channel: 'bank', body, refusal: invalid, requestId: 'r' }, []);
  await keepRejectedBodies(webhooks, [kept, kept]);
  expect((await one(id))?.timesSeen).toBe(3);
});

test('sent again after something was mended, it is recorded in the name of who did it', async () => {
  const id = await keep(payment());
  const resent = await resend(id);
  expect(resent).toMatchObject({ ok: true, value: [{ kind: 'payment', outcome: 'created' }] });
  const paymentId =
    resent.ok && resent.value[0] && 'paymentId' in resent.value[0] && resent.value[0].paymentId;
  const rows = await owner.query('select actor, source from payment_service.payments where id = $1', [
    paymentId,
  ]);
  expect(rows).toEqual([{ actor: 'key:clerk', source: 'webhook' }]);
  expect(await one(id)).toMatchObject({
    status: 'resent',
    decidedBy: 'key:clerk',
    decidedAt: expect.any(String),
  });
  expect(await resend(id)).toEqual({ ok: false, refusal: { kind: 'already_decided', status: 'resent' } });
  expect(await dismissRejectedBody(api, { id, reason: 'x', actor: 'key:clerk' })).toEqual({
    ok: false,
    refusal: { kind: 'already_decided', status: 'resent' },
  });
});

test('what is still wrong is told, and it stays open; corrected it is recorded, and the correction is kept masked', async () => {
  const id = await keep(payment({ amount: 0 }));
  expect(await resend(id)).toMatchObject({
    ok: false,
    refusal: { kind: 'unreadable', refusal: { faults: [{ field: 'amount' }] } },
  });
  expect(await resend(id, '{')).toMatchObject({ refusal: { refusal: { kind: 'malformed' } } });
  expect(await one(id)).toMatchObject({ status: 'open' });
  const corrected = payment({ metadata: { note: '4111111111111111' } });
  expect(await resend(id, corrected)).toMatchObject({ ok: true });
  expect(await one(id)).toMatchObject({
    status: 'resent',
    resentBody: corrected.replace('4111111111111111', '[card 1111]'),
  });
});

test('a text that was masked is not sent again unchanged, one whose metadata was masked is', async () => {
  const text = await keep(`${payment({ cif: '4111111111111111' })}}`);
  expect(await one(text)).toMatchObject({ masked: true, altered: true });
  expect(await resend(text)).toEqual({ ok: false, refusal: { kind: 'altered' } });
  expect(await resend(text, payment())).toMatchObject({ ok: true });
  const metadata = await keep(payment({ metadata: { note: '4111111111111111' } }));
  expect(await one(metadata)).toMatchObject({ masked: true, altered: false });
  expect(await resend(metadata)).toMatchObject({ ok: true });
});

test('one that holds nothing to be recorded, or whose channel is gone, or that nobody knows, is refused', async () => {
  const ignored = await keep(
    '{"notificationItems":[{"NotificationRequestItem":{"eventCode":"REPORT_AVAILABLE","success":"true"}}]}',
    { channel: 'psp' },
  );
  expect(await resend(ignored)).toEqual({ ok: false, refusal: { kind: 'nothing_in_it' } });
  const gone = await keep(payment(), { channel: 'former' });
  expect(await resend(gone)).toEqual({ ok: false, refusal: { kind: 'unknown_channel' } });
  const nobody = crypto.randomUUID();
  expect(await resend(nobody)).toEqual({ ok: false, refusal: { kind: 'unknown_body' } });
  expect(await dismissRejectedBody(api, { id: nobody, reason: 'x', actor: 'a' })).toEqual({
    ok: false,
    refusal: { kind: 'unknown_body' },
  });
});

test('dismissed, it stays with the reason; dismissed again the first one stands', async () => {
  const id = await keep(payment());
  const dismiss = (reason: string) => dismissRejectedBody(api, { id, reason, actor: 'key:clerk' });
  expect(await dismiss('a test of theirs')).toEqual({ ok: true, value: undefined });
  expect(await dismiss('another reason')).toEqual({ ok: true, value: undefined });
  expect(await one(id)).toMatchObject({ status: 'dismissed', reason: 'a test of theirs' });
  expect(await resend(id)).toEqual({ ok: false, refusal: { kind: 'already_decided', status: 'dismissed' } });
});

test('sent again by ten at once, it is recorded once', async () => {
  const id = await keep(payment());
  const resent = await Promise.all(Array.from({ length: 10 }, (_, i) => resend(id, null, `key:${i}`)));
  const outcomes = resent.flatMap((answer) => (answer.ok ? answer.value.map(({ outcome }) => outcome) : []));
  expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(1);
  expect(outcomes.every((outcome) => outcome === 'created' || outcome === 'duplicate')).toBe(true);
});

test('what nobody has sent for thirty days is removed, by the limit', async () => {
  await owner.query('delete from payment_service.rejected_bodies');
  const ids = [await keep(payment()), await keep(payment()), await keep(payment()), await keep(payment())];
  const ago = (days: number, id?: string) =>
    owner.query(
      `update payment_service.rejected_bodies set last_seen_at = now() - $1 * interval '1 day' where id = $2`,
      [days, id],
    );
  for (const id of ids.slice(0, 3)) await ago(30.01, id);
  await ago(29.9, ids[3]);
  expect(await removeOldRejectedBodies(ingest, 2)).toBe(2);
  expect(await removeOldRejectedBodies(ingest, 2)).toBe(1);
  expect(await removeOldRejectedBodies(ingest, 2)).toBe(0);
  expect((await readRejectedBodies(api, {}, undefined, 10)).rows.map(({ id }) => id)).toEqual([ids[3]]);
});

test('a list is narrowed by channel and status, newest first, in pages', async () => {
  await owner.query('delete from payment_service.rejected_bodies');
  const [a, b, c] = [await keep(payment()), await keep(payment(), { channel: 'psp' }), await keep(payment())];
  await dismissRejectedBody(api, { id: a, reason: 'x', actor: 'a' });
  const idsOf = async (filter: Parameters<typeof readRejectedBodies>[1]) =>
    (await readRejectedBodies(api, filter, undefined, 10)).rows.map(({ id }) => id);
  expect(await idsOf({})).toEqual([c, b, a]);
  expect(await idsOf({ channel: 'bank' })).toEqual([c, a]);
  expect(await idsOf({ status: 'open' })).toEqual([c, b]);
  const first = await readRejectedBodies(api, {}, undefined, 2);
  expect((await readRejectedBodies(api, {}, first.next, 2)).rows.map(({ id }) => id)).toEqual([a]);
});
