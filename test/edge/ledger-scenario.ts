// The part of the story that is about money: what the ledger has of a loan, what staff have it do, and what waits for a second
// person.

import type { Call } from './calling.ts';
import type { World } from './world.ts';

export async function ledgerOf(call: Call, world: World): Promise<void> {
  const params = { id: 'LN00001234' };
  const accounts = '/api/v1/ledger/accounts/:id';
  const limits = '/api/v1/approval-limits';
  const limit = { role: 'service', kind: 'fee_waiver', currency: 'EUR' };
  await world.ledger.open('A-42');
  let keys = 0;
  const keyed = (asking: object) => ({
    ...asking,
    headers: { 'idempotency-key': `intent-${++keys}` },
  });
  await world.newPerson(['agent']);
  const admin = await world.newPerson(['admin']);
  await call(`PUT ${limits}/:role/:kind/:currency`, { params: limit, as: admin, body: { amount: '25.00' } });
  await call(`GET ${limits}`);
  for (const [what, body] of Object.entries({
    repayment: { amount: '60.00', currency: 'EUR', paymentMethod: 'card', reference: 'TERM-7-0193' },
    'late-fee': { amount: '15.00', daysPastDue: 7, reason: 'instalment 2 is late' },
    'dishonour-fee': { amount: '10.00', reference: 'DD-2026-0007' },
    'waive-fee': { fees: [{ amount: '15.00' }, { amount: '5.00' }], reason: 'the bank was at fault' },
  })) {
    await call(`POST ${accounts}/${what}`, keyed({ params, body }));
  }
  const supervisor = await world.newPerson(['supervisor']);
  const asked: string[] = [];
  for (const [what, body] of Object.entries({
    'waive-fee': { fees: [{ amount: '5.00' }], reason: 'a long-standing customer' },
    'write-off': { amount: '100.00', reason: 'insolvent, settled by the court' },
    adjustment: { principalDelta: '-3.50', feeDelta: '0.00', reason: 'interest was charged twice' },
    disburse: { amount: '460.00', bankReference: 'SEPA-0001', paymentMethod: 'sepa', reason: 'as signed' },
  })) {
    const { body: request } = await call(`POST ${accounts}/${what}`, keyed({ params, body, as: supervisor }));
    asked.push(request.id);
  }
  const requests = '/api/v1/approval-requests';
  const [waiver, writeOff, adjustment] = asked.map((id) => ({ id }));
  await call(`GET ${requests}`, { query: { status: 'requested', limit: '1' } });
  await call(`GET ${requests}/:id`, { params: writeOff as { id: string } });
  const comment = 'seen the papers';
  await call(`POST ${requests}/:id/approve`, {
    params: writeOff as { id: string },
    as: admin,
    body: { comment },
  });
  const reject = {
    params: adjustment as { id: string },
    as: admin,
    body: { comment: 'the charge was right' },
  };
  await call(`POST ${requests}/:id/reject`, reject);
  await call(`POST ${requests}/:id/cancel`, { params: waiver as { id: string }, as: supervisor, body: {} });

  await call(`GET ${accounts}/transactions`, { params, query: { limit: '2', from: '2026-01-01' } });
  await call(`GET ${accounts}/balance`, { params });
  await call(`GET ${accounts}/record`, { params });
  await call(`GET ${accounts}/statement`, { params, query: { from: '2026-10-01', to: '2026-10-31' } });
  await call(`GET ${accounts}/schedule`, { params });
  await call(`GET ${accounts}/aging`, { params });
  await call(`GET ${accounts}/stream`, { params, query: { seconds: '1' }, unrecorded: true });

  const loanAccountId = 'A-42';
  const app = '/api/ledger';
  await call(
    `POST ${app}/repayment`,
    keyed({ body: { loanAccountId, amount: 10.5, paymentMethod: 'cash' } }),
  );
  const fee = { loanAccountId, feeType: 'late_fee', feeAmount: 15, daysPastDue: 7 };
  await call(`POST ${app}/apply-fee`, keyed({ body: fee }));
  await call(
    `POST ${app}/waive-fee`,
    keyed({ body: { loanAccountId, waiverAmount: 5, reason: 'goodwill' } }),
  );
  await call(`GET ${app}/transactions`, { query: { loanAccountId, limit: '1' } });
  await call(`GET ${app}/balance`, { query: { loanAccountId } });
  await call(`DELETE ${limits}/:role/:kind/:currency`, { params: limit, as: admin });
}
