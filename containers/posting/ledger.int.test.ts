// Posting to a ledger of another make, which serves accounting_ledger.proto alone.

import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { reversePayments } from '../../shared/payments/reverse-payments.ts';
import { newPayment, newReversal } from '../../shared/payments/testing.ts';
import { LedgerFault } from '../../shared/posting/post-due.ts';
import { settle } from '../../shared/posting/testing.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { openLedgerClient } from '../ledger-client.ts';
import { connectionTo, startTestLedger, type TestLedger } from '../ledger-gateway/testing.ts';
import { ledgerOver } from './ledger.ts';

let database: TestDatabase;
let owner: Pool;
let db: Pool;
let foreign: TestLedger;
let client: ReturnType<typeof openLedgerClient>;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  owner = open(database.url);
  db = open(database.urlFor('recoup_posting'));
  foreign = await startTestLedger({ services: ['accounting'] });
  client = openLedgerClient(connectionTo(foreign.address, { services: ['accounting'], attempts: 1 }));
  await owner.query(
    `insert into servicing.identifiers (target, kind, value, version)
     values ('account:A1', 'account_id', 'A1', ''), ('account:A1', 'account_number', 'N1', '1')`,
  );
});
afterAll(async () => {
  client.close();
  foreign.kill();
  await Promise.all([owner.close(), db.close()]);
  await database.drop();
});

const settled = () => settle(db, owner, ledgerOver(client, ['accounting']));
const postings = () =>
  owner.query(
    `select kind, state, transfer_id, transfer_version, held_because from posting.postings order by kind`,
  );

test('a payment is a repayment under the key of its posting, once, though the answer is lost', async () => {
  let lost = 0;
  foreign.behave(({ commit }) => {
    if (lost++ > 0) return;
    commit();
    throw { code: status.UNAVAILABLE, details: 'lost' };
  });
  const payment = newPayment({
    amount: { amountMinor: 1_250n, currency: 'EUR' },
    loanAccountNumber: 'N1',
    paidOn: '2026-11-20',
  });
  await recordPayments(owner, [payment]);
  await expect(settled()).rejects.toThrow(LedgerFault);
  await settled();
  const [posting] = await owner.query<{ id: string }>('select id from posting.postings');
  expect(foreign.asked.map(({ method, key }) => [method, key])).toEqual([
    ['RecordRepayment', posting?.id],
    ['RecordRepayment', posting?.id],
  ]);
  expect([...foreign.done]).toEqual([[posting?.id, 1]]);
  expect(await postings()).toMatchObject([
    { kind: 'payment', state: 'posted', transfer_id: `t-${posting?.id}`, transfer_version: null },
  ]);

  // It has no word for that: staff see it held, and nothing is sent.
  await reversePayments(owner, [newReversal(payment)], { keepRefused: true });
  await settled();
  expect(foreign.asked).toHaveLength(2);
  expect(await postings()).toMatchObject([
    { kind: 'payment', state: 'posted' },
    { kind: 'reversal', state: 'held', held_because: 'not_supported_by_ledger' },
  ]);
});
