import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { groupCommit, groupCommitLimits } from './group-commit.ts';
import { type NewPayment, paymentIdOf } from './payment.ts';
import { recordPayments } from './record-payments.ts';
import { newPayment } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;
let statements: number[];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 10_000 });
  const url = database.urlFor('recoup_webhooks');
  webhooks = openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  // A fault that no validation foresees, of one payment.
  await owner.query(`
    create function payment_service.refuse_cursed() returns trigger language plpgsql as $$
    begin raise exception 'cursed' using errcode = 'P0001'; end $$`);
  await owner.query(`
    create trigger refuse_cursed before insert on payment_service.payments
    for each row when (new.cif = 'CURSED') execute function payment_service.refuse_cursed()`);
});
afterAll(async () => {
  await Promise.all([owner?.close(), webhooks?.close()]);
  await database?.drop();
});

function committing() {
  statements = [];
  return groupCommit((payments) => {
    statements.push(payments.length);
    return recordPayments(webhooks, payments);
  }, groupCommitLimits);
}

const counted = async (payments: readonly NewPayment[]) => {
  const [row] = await owner.query<{ refs: number; payments: number; messages: number }>(
    `select (select count(*)::int from payment_service.payment_references where reference_number = any ($1)) as refs,
            (select count(*)::int from payment_service.payments where reference_number = any ($1)) as payments,
            (select count(*)::int from outbox.messages m join payment_service.payments p on p.event_id = m.event_id
             where m.destination = 'log' and p.reference_number = any ($1)) as messages`,
    [payments.map(({ referenceNumber }) => referenceNumber)],
  );
  return row;
};

test('three hundred payments at once share a handful of statements, and each is recorded', async () => {
  const payments = Array.from({ length: 300 }, () => newPayment());
  const recorded = await Promise.all(payments.map(committing()));
  expect(recorded.map(({ outcome }) => outcome)).toEqual(payments.map(() => 'created'));
  expect(recorded.map(({ paymentId }) => paymentId)).toEqual(await Promise.all(payments.map(paymentIdOf)));
  expect(statements.length).toBeLessThanOrEqual(4);
  expect(await counted(payments)).toEqual({ refs: 300, payments: 300, messages: 600 });
});

test('a payment that the database refuses fails alone; its neighbours are recorded', async () => {
  const payments = Array.from({ length: 100 }, (_, i) => newPayment(i === 41 ? { cif: 'CURSED' } : {}));
  const results = await Promise.allSettled(payments.map(committing()));
  const refused = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
  expect(refused).toEqual([41]);
  expect(results[41]).toMatchObject({
    reason: { name: 'DatabaseFault', sqlState: 'P0001', retryable: false },
  });
  expect(await counted(payments)).toEqual({ refs: 99, payments: 99, messages: 198 });
});

test('copies that meet are one payment: the first is created, the others are duplicates of it', async () => {
  const payment = newPayment();
  const other = newPayment({ ...payment, amount: { amountMinor: 1n, currency: 'EUR' } });
  const recorded = await Promise.all([payment, payment, payment, other].map(committing()));
  expect(recorded.map(({ outcome }) => outcome).toSorted()).toEqual([
    'conflict',
    'created',
    'duplicate',
    'duplicate',
  ]);
  expect(new Set(recorded.map(({ paymentId }) => paymentId)).size).toBe(1);
  expect(await counted([payment])).toEqual({ refs: 1, payments: 1, messages: 2 });
});
