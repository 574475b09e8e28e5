import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import { parseExactJson } from '../exact-json.ts';
import { paymentRecorded } from './events.ts';
import { conflictNamespace, type NewPayment, paymentIdOf, recordedEventIdOf } from './payment.ts';
import { recordPayments } from './record-payments.ts';
import { acceptConflict, dismissConflict } from './resolve-conflict.ts';
import { newPayment } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;
let api: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 4, max: 4, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  webhooks = open(database.urlFor('recoup_webhooks'));
  api = open(database.urlFor('recoup_api'));
});
afterAll(async () => {
  await Promise.all([owner, webhooks, api].map((pool) => pool.close()));
  await database.drop();
});

const record = async (payment: NewPayment) => {
  const [recorded] = await recordPayments(webhooks, [payment]);
  if (!recorded) throw new Error('nothing was recorded');
  return recorded;
};
const accept = (conflictId: string, reason: string | null = null, actor = 'key:staff') =>
  acceptConflict(api, { conflictId, reason, actor });
const dismiss = (conflictId: string, reason = 'typed by mistake', actor = 'key:staff') =>
  dismissConflict(api, { conflictId, reason, actor });

/** A payment, another version of it, and the conflict that this made. */
async function conflict() {
  const first = newPayment();
  const other = {
    ...first,
    amount: { amountMinor: 7n, currency: 'EUR' },
    cif: 'CIF-2',
    metadata: '{"n": 1.50}',
  };
  const { paymentId } = await record(first);
  const recorded = await record(other);
  if (recorded.outcome !== 'conflict') throw new Error('expected a conflict');
  return { first, other, paymentId, conflictId: recorded.conflictId };
}
const decision = async (conflictId: string) => {
  const [row] = await owner.query(
    `select status, decided_by, decided_at is not null as decided, reason, accepted_payment_id, times_seen
     from payment_service.payment_conflicts where id = $1`,
    [conflictId],
  );
  return row;
};
const paymentsOf = (referenceNumber: string) =>
  owner.query('select * from payment_service.payments where reference_number = $1 order by created_at', [
    referenceNumber,
  ]);
const messagesOf = async (referenceNumber: string) => {
  const rows = await owner.query<{ payload: string }>(
    `select payload from outbox.messages where payload::json #>> '{payment,reference_number}' = $1 order by position`,
    [referenceNumber],
  );
  return rows.map(({ payload }) => paymentRecorded.parse(parseExactJson(payload)));
};

test('an accepted conflict is a payment of its own, linked to the first and announced', async () => {
  const { other, paymentId, conflictId } = await conflict();
  const id = await paymentIdOf({
    namespace: conflictNamespace(conflictId),
    referenceNumber: other.referenceNumber,
  });
  expect(await accept(conflictId, 'two instalments')).toEqual({ ok: true, value: { paymentId: id } });
  expect(await decision(conflictId)).toEqual({
    ...{ status: 'accepted', decided_by: 'key:staff', decided: true, reason: 'two instalments' },
    ...{ accepted_payment_id: id, times_seen: 1 },
  });
  const [, accepted] = await paymentsOf(other.referenceNumber);
  expect(accepted).toMatchObject({
    ...{
      id,
      linked_payment_id: paymentId,
      namespace: `conflict:${conflictId}`,
      amount: '0.0700',
      cif: 'CIF-2',
    },
    ...{ source: 'webhook', actor: 'key:staff', payment_date: other.paymentDate, metadata: { n: 1.5 } },
  });
  const [, event] = await messagesOf(other.referenceNumber);
  expect(event).toMatchObject({
    event_id: await recordedEventIdOf(id),
    payment: { id, cif: 'CIF-2', source: 'webhook' },
  });
  expect(event?.payment.amount.rawJSON).toBe('0.07');
  expect(JSON.stringify(event?.payment.metadata)).toBe('{"n":1.50}');
});

test('after that each version is a duplicate of its own payment, and a third one is a conflict', async () => {
  const { first, other, paymentId, conflictId } = await conflict();
  const accepted = await accept(conflictId);
  const acceptedId = accepted.ok ? accepted.value.paymentId : undefined;
  expect(await record(other)).toEqual({ outcome: 'duplicate', paymentId: acceptedId });
  expect(await record(first)).toEqual({ outcome: 'duplicate', paymentId });
  expect((await record({ ...first, loanAccountNumber: 'LN-3' })).outcome).toBe('conflict');
  expect(await paymentsOf(first.referenceNumber)).toHaveLength(2);
});

test('a dismissed conflict is no payment and stays on record with the reason, however often it comes', async () => {
  const { other, paymentId, conflictId } = await conflict();
  expect(await dismiss(conflictId, 'typed twice')).toEqual({ ok: true, value: undefined });
  expect(await record(other)).toEqual({ outcome: 'conflict', paymentId, conflictId });
  expect(await decision(conflictId)).toEqual({
    ...{ status: 'dismissed', decided_by: 'key:staff', decided: true, reason: 'typed twice' },
    ...{ accepted_payment_id: null, times_seen: 2 },
  });
  expect(await paymentsOf(other.referenceNumber)).toHaveLength(1);
  expect(await messagesOf(other.referenceNumber)).toHaveLength(1);
});

test('the first decision stands: asked again it is told, and nothing changes', async () => {
  const one = await conflict();
  const accepted = await accept(one.conflictId, 'first', 'key:a');
  expect(await accept(one.conflictId, 'second', 'key:b')).toEqual(accepted);
  expect(await decision(one.conflictId)).toMatchObject({ decided_by: 'key:a', reason: 'first' });
  expect(await paymentsOf(one.first.referenceNumber)).toHaveLength(2);
  expect(await messagesOf(one.first.referenceNumber)).toHaveLength(2);

  const two = await conflict();
  await dismiss(two.conflictId, 'first', 'key:a');
  expect(await dismiss(two.conflictId, 'second', 'key:b')).toEqual({ ok: true, value: undefined });
  expect(await decision(two.conflictId)).toMatchObject({ decided_by: 'key:a', reason: 'first' });
});

test('a decision the other way is refused with the one that stands', async () => {
  const one = await conflict();
  await accept(one.conflictId);
  expect(await dismiss(one.conflictId)).toEqual({
    ok: false,
    refusal: { kind: 'already_decided', status: 'accepted' },
  });
  const two = await conflict();
  await dismiss(two.conflictId);
  expect(await accept(two.conflictId)).toEqual({
    ok: false,
    refusal: { kind: 'already_decided', status: 'dismissed' },
  });
  expect(await paymentsOf(two.first.referenceNumber)).toHaveLength(1);
});

test('a conflict that does not exist cannot be decided', async () => {
  const unknown = { ok: false, refusal: { kind: 'unknown_conflict' } };
  expect(await accept(crypto.randomUUID())).toEqual(unknown);
  expect(await dismiss(crypto.randomUUID())).toEqual(unknown);
});

test('staff who accept at the same time make one payment of it', async () => {
  for (let round = 0; round < 10; round++) {
    const { first, conflictId } = await conflict();
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((who) => accept(conflictId, null, who)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.ok).toBe(true);
    expect(await paymentsOf(first.referenceNumber)).toHaveLength(2);
    expect(await messagesOf(first.referenceNumber)).toHaveLength(2);
  }
});

/** The answer of `late`, which began while `early` had decided and not yet committed. */
async function decidedMeanwhile<T>(
  early: (tx: Database) => Promise<unknown>,
  late: () => Promise<T>,
): Promise<T> {
  // In an object, so that the commit does not wait for it.
  const { waiting } = await owner.transaction(async (tx) => {
    await early(tx);
    const answer = late();
    await vi.waitFor(async () => {
      const locked = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      expect(await owner.query(locked)).toHaveLength(1);
    }, 5_000);
    return { waiting: answer };
  });
  return waiting;
}

test('who decides while another is deciding waits for that decision and is told of it', async () => {
  const one = await conflict();
  const dismissal = { conflictId: one.conflictId, reason: 'first', actor: 'key:a' };
  const accepted = await decidedMeanwhile(
    (tx) => dismissConflict(tx, dismissal),
    () => accept(one.conflictId),
  );
  expect(accepted).toEqual({ ok: false, refusal: { kind: 'already_decided', status: 'dismissed' } });
  expect(await paymentsOf(one.first.referenceNumber)).toHaveLength(1);

  const two = await conflict();
  const acceptance = { conflictId: two.conflictId, reason: 'first', actor: 'key:a' };
  const dismissed = await decidedMeanwhile(
    (tx) => acceptConflict(tx, acceptance),
    () => dismiss(two.conflictId),
  );
  expect(dismissed).toEqual({ ok: false, refusal: { kind: 'already_decided', status: 'accepted' } });
  expect(await decision(two.conflictId)).toMatchObject({ status: 'accepted', reason: 'first' });
});

test('of staff who decide differently at the same time one is told what the other decided', async () => {
  for (let round = 0; round < 10; round++) {
    const { first, conflictId } = await conflict();
    const [accepted, dismissed] = await Promise.all([accept(conflictId), dismiss(conflictId)]);
    expect([accepted.ok, dismissed.ok].sort()).toEqual([false, true]);
    const status = accepted.ok ? 'accepted' : 'dismissed';
    expect(accepted.ok ? dismissed : accepted).toEqual({
      ok: false,
      refusal: { kind: 'already_decided', status },
    });
    expect(await decision(conflictId)).toMatchObject({ status });
    expect(await paymentsOf(first.referenceNumber)).toHaveLength(accepted.ok ? 2 : 1);
  }
});

test('a version that comes again while staff accept it is the conflict or the payment, never a second one', async () => {
  for (let round = 0; round < 10; round++) {
    const { other, conflictId } = await conflict();
    const [accepted, ...again] = await Promise.all([
      accept(conflictId),
      ...Array.from({ length: 4 }, () => record(other)),
    ]);
    const paymentId = accepted.ok && accepted.value.paymentId;
    for (const recorded of again) {
      if (recorded.outcome === 'conflict') expect(recorded.conflictId).toBe(conflictId);
      else expect(recorded).toEqual({ outcome: 'duplicate', paymentId });
    }
    expect(await paymentsOf(other.referenceNumber)).toHaveLength(2);
  }
});
