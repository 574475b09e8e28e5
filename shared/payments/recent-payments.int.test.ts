import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { factsHash } from './payment.ts';
import { recentPayments } from './recent-payments.ts';
import { recordPayments } from './record-payments.ts';
import { newPayment } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let edge: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 1, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  edge = open(database.urlFor('recoup_edge'));
});
afterAll(async () => {
  await Promise.all([owner?.close(), edge?.close()]);
  await database?.drop();
});

test('the latest come first, with the hash that the edge takes of their facts, however they are spelled', async () => {
  const texts = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 20 })
    .filter((text) => !text.includes('\0'));
  const money = fc.record({
    amountMinor: fc.bigInt(1n, 10n ** 12n),
    currency: fc.constantFrom('EUR', 'JPY', 'KWD', 'CLF'),
  });
  await fc.assert(
    fc.asyncProperty(
      money,
      texts.filter((text) => [...text].length <= 20),
      fc.constantFrom('2026-02-28', '1999-12-31'),
      async (amount, loanAccountNumber, paidOn) => {
        const payment = newPayment({ amount, loanAccountNumber, paidOn });
        const [recorded] = await recordPayments(owner, [payment]);
        expect(await recentPayments(edge, 1)).toEqual([
          {
            namespace: payment.namespace,
            referenceNumber: payment.referenceNumber,
            paymentId: recorded?.paymentId,
            factsHash: await factsHash(payment),
          },
        ]);
      },
    ),
    { numRuns: 50 },
  );
  expect(await recentPayments(edge, 7)).toHaveLength(7);
});

test('the role that warms a memory may do nothing else', async () => {
  const denied = { name: 'DatabaseFault', sqlState: '42501' };
  for (const table of ['payment_references', 'payments', 'payment_conflicts']) {
    await expect(edge.query(`select from payment_service.${table}`)).rejects.toMatchObject(denied);
  }
  await expect(edge.query('select from outbox.messages')).rejects.toMatchObject(denied);
  await expect(recordPayments(edge, [newPayment()])).rejects.toMatchObject(denied);
});
