// The part of the story that is about payments on their way to the ledger: one that names no loan is matched, one that was
// misapplied is moved.

import { memoryLedger, settle } from '../../shared/posting/testing.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { deliver } from './asking.ts';
import type { Call } from './calling.ts';
import type { World } from './world.ts';

export async function postingsOf(call: Call, world: World): Promise<void> {
  const { ledger, loans } = memoryLedger();
  for (const id of ['A-42', 'A-43']) loans.add(id);
  const other = { account_id: 'A-43', account_number: 'LN00001235', customer_id: 'C-1001', status: 'ACTIVE' };
  await foldInto(world.db, [
    event('account.created.v1', other, { at: '2026-10-03T09:30:00Z', id: 'told-of-A-43' }),
  ]);
  await deliver(world.edge, {
    reference_number: 'CHK-2026-0300',
    loan_account_number: 'LN0000123',
    cif: 'CIF000077',
    amount: '75.00',
    payment_date: '2026-11-20T08:30:00Z',
  });
  await settle(world.db, world.db, ledger);
  const { body } = await call('GET /api/v1/postings', { query: { state: 'held', limit: '1' } });
  const params = { id: body.data[0].id };
  await call('GET /api/v1/postings/:id', { params });
  const match = { accountId: 'LN00001234', reason: 'a digit is missing' };
  await call('POST /api/v1/postings/:id/match', { params, body: match });
  await settle(world.db, world.db, ledger);
  const move = {
    to: [
      { accountId: 'LN00001234', amount: '25.00' },
      { accountId: 'LN00001235', amount: '50.00' },
    ],
    reason: 'paid for both loans',
  };
  await call('POST /api/v1/payments/:id/move', { params: { id: body.data[0].paymentId }, body: move });
  await settle(world.db, world.db, ledger);
  await call('GET /api/v1/payments/:reference', { params: { reference: 'CHK-2026-0300' } });
}
