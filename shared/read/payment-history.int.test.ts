// What has become of a reference: its payments, reversals and failed attempts, oldest first.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import type { NewFailure } from '../payments/failure.ts';
import { recordFailures } from '../payments/record-failures.ts';
import { recordPayments } from '../payments/record-payments.ts';
import { reversePayments } from '../payments/reverse-payments.ts';
import { newPayment, newReversal } from '../payments/testing.ts';
import { readPaymentsByReference } from './payment-history.ts';

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

const euros = (amountMinor: bigint) => ({ amountMinor, currency: 'EUR' });
const fail = (referenceNumber: string, over: Partial<NewFailure> = {}) =>
  recordFailures(owner, [
    {
      namespace: 'default',
      referenceNumber,
      failureReference: crypto.randomUUID(),
      loanAccountNumber: 'LN-1',
      cif: null,
      amount: euros(10_050n),
      reason: 'insufficient_funds',
      occurredAt: new Date('2026-11-20T08:00:00.000Z'),
      paymentChannel: 'bank',
      source: 'webhook',
      actor: 'channel:bank',
      ...over,
    },
  ]);
const reverse = (payment: { namespace: string; referenceNumber: string }, over: object, keepRefused = true) =>
  reversePayments(owner, [newReversal(payment, over)], { keepRefused });

/** What is read, and in how many calls. */
async function look(referenceNumber: string) {
  let calls = 0;
  const counted: Database = {
    query: (text, params) => {
      calls += 1;
      return api.query(text, params);
    },
    arrays: (text, params) => {
      calls += 1;
      return api.arrays(text, params);
    },
  };
  const rows = await readPaymentsByReference(counted, referenceNumber);
  return { calls, rows: rows.map((row) => ({ ...row, history: JSON.parse(row.history) })) };
}

describe('the history of a payment', () => {
  test('tells of attempts, the payment and what was taken back, by whom and why, in one call', async () => {
    const payment = newPayment();
    const { referenceNumber } = payment;
    await fail(referenceNumber);
    await reverse(payment, { amount: euros(50n), reversalReference: 'HELD', actor: 'channel:psp' });
    await reverse(payment, { amount: euros(99_999n), reversalReference: 'TOO-MUCH' });
    await recordPayments(owner, [payment]);
    await reverse(payment, {
      reversalReference: 'REST',
      reason: 'chargeback',
      source: 'api',
      actor: 'key:clerk',
    });
    await reverse(payment, { reversalReference: 'REFUSED' }, false);
    await fail(referenceNumber, { amount: null, reason: 'late' });

    const { calls, rows } = await look(referenceNumber);
    expect(calls).toBe(1);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ status: 'reversed', reversedAmount: '100.50' });
    const { history } = rows[0] as (typeof rows)[0];
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(history).toMatchObject([
      { type: 'failed', at, actor: 'channel:bank', amount: '100.50', reason: 'insufficient_funds' },
      { type: 'received', at, actor: 'channel:bank', source: 'webhook', amount: '100.50', currency: 'EUR' },
      expect.objectContaining({ type: expect.stringMatching(/^reversed|reversal_refused$/) }),
      expect.objectContaining({ type: expect.stringMatching(/^reversed|reversal_refused$/) }),
      {
        type: 'reversed',
        at,
        actor: 'key:clerk',
        source: 'api',
        reversalReference: 'REST',
        amount: '100.00',
      },
      { type: 'failed', at, amount: null, currency: null, reason: 'late' },
    ]);
    const settled = history.slice(2, 4);
    expect(settled).toContainEqual(
      expect.objectContaining({
        type: 'reversed',
        reversalReference: 'HELD',
        amount: '0.50',
        actor: 'channel:psp',
      }),
    );
    expect(settled).toContainEqual(
      expect.objectContaining({ type: 'reversal_refused', amount: '999.99', refusal: 'exceeds_payment' }),
    );
  });

  test('is that of its namespace alone', async () => {
    const payment = newPayment();
    const elsewhere = { ...payment, namespace: 'psp' };
    await recordPayments(owner, [payment]);
    await recordPayments(owner, [elsewhere]);
    await reverse(elsewhere, {});
    const { rows } = await look(payment.referenceNumber);
    expect(rows.map((row) => [row.namespace, row.status, row.history.length])).toEqual([
      ['default', 'received', 1],
      ['psp', 'reversed', 2],
    ]);
  });
});

describe('a reference that has only failed attempts', () => {
  test('has failed, with what the last attempt said and no payment', async () => {
    const referenceNumber = `REF-${crypto.randomUUID()}`;
    await fail(referenceNumber, { amount: null });
    await fail(referenceNumber, { amount: { amountMinor: 1_230n, currency: 'KWD' }, reason: 'closed' });
    await reverse({ namespace: 'default', referenceNumber }, { reversalReference: 'EARLY' });
    const { calls, rows } = await look(referenceNumber);
    expect(calls).toBe(1);
    expect(rows).toMatchObject([
      {
        id: null,
        status: 'failed',
        referenceNumber,
        loanAccountNumber: 'LN-1',
        cif: null,
        amount: '1.230',
        currency: 'KWD',
        paymentDate: null,
        reversedAmount: null,
        metadata: '{}',
      },
    ]);
    expect(rows[0]?.history.map((entry: { type: string }) => entry.type)).toEqual([
      'failed',
      'failed',
      'reversal_held',
    ]);
    await recordPayments(owner, [newPayment({ referenceNumber })]);
    const after = (await look(referenceNumber)).rows;
    expect(after).toMatchObject([{ status: 'reversed', history: { length: 4 } }]);
  });

  test('in one namespace comes after the payment of another', async () => {
    const payment = newPayment();
    await fail(payment.referenceNumber, { namespace: 'psp' });
    await recordPayments(owner, [payment]);
    const { rows } = await look(payment.referenceNumber);
    expect(rows.map((row) => [row.namespace, row.status])).toEqual([
      ['default', 'received'],
      ['psp', 'failed'],
    ]);
  });

  test('is not said of a payment whose row has been exported', async () => {
    const payment = newPayment();
    await fail(payment.referenceNumber);
    await recordPayments(owner, [payment]);
    await owner.query('delete from payment_service.payments where reference_number = $1', [
      payment.referenceNumber,
    ]);
    expect((await look(payment.referenceNumber)).rows).toEqual([]);
  });
});
