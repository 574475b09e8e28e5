// An approved request is executed: its command goes to the ledger exactly as it was asked for, under a key that is the
// request's own, and what became of it is written back. Repeated it changes nothing: the ledger answers under the same key
// as the first time, and a request is settled once.

import * as z from 'zod/mini';
import type { Database } from '../database.ts';
import { callOf, type LedgerCall, type StaffCommand, transactionIdIn } from '../ledger/staff-command.ts';
import { saveSettlement } from './store.ts';

/** The ledger as this needs it. Whatever is no answer of the ledger's (away, too late, lost) is thrown. */
export interface ExecutingLedger {
  call(
    call: LedgerCall,
    actor: string,
  ): Promise<
    { ok: true; answer: Record<string, unknown> } | { ok: false; refusal: { code: string; message: string } }
  >;
}

const message = z.looseObject({
  requestId: z.guid(),
  maker: z.string(),
  checker: z.string(),
  kind: z.string(),
  accountId: z.string(),
  currency: z.string(),
});

/** The ledger's key for a request. */
const keyOf = (requestId: string) => `request:${requestId}`;

/**
 * `payload` is that of an outbox message of topic `ledger.requests`. Answers what the ledger says of it, and whether that was
 * written down now. Throws what the ledger throws, then to be repeated; DatabaseFault; and for a payload that
 * `approvals.decide` has not written.
 */
export async function executeRequest(
  db: Database,
  ledger: ExecutingLedger,
  payload: string,
): Promise<{ requestId: string; outcome: 'executed' | 'failed'; isNew: boolean }> {
  const { requestId, maker, checker, ...command } = message.parse(JSON.parse(payload));
  const said = { key: keyOf(requestId), actor: maker, approvedBy: checker };
  const told = await ledger.call(callOf(command as unknown as StaffCommand, said), maker);
  if (!told.ok) {
    const { code, message: why } = told.refusal;
    const failure = { code, message: why };
    const isNew = await saveSettlement(db, { id: requestId, transactionId: null, failure });
    return { requestId, outcome: 'failed', isNew };
  }
  const transactionId = transactionIdIn(told.answer);
  if (transactionId === undefined) throw new Error(`the ledger named no transaction of request ${requestId}`);
  const isNew = await saveSettlement(db, { id: requestId, transactionId, failure: null });
  return { requestId, outcome: 'executed', isNew };
}
