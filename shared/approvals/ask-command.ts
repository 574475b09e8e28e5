// A command of staff is either to be sent to the ledger at once, or has become a request that another person decides. Which
// of the two is said once and for all: under the same key again it is what it was, whatever has changed meanwhile.

import type { Database } from '../database.ts';
import type { StaffCommand } from '../ledger/staff-command.ts';
import type { IdempotencyKey } from '../operations/idempotency-key.ts';
import { ok, type Result, refused } from '../result.ts';
import type { Caller } from '../staff/caller.ts';
import { isLimited, type LoanFacts, limitedAmount } from './request.ts';
import { saveAsked } from './store.ts';

export type Asked =
  /** The command of the first time: what it says of the loan is as it was then. */
  { kind: 'direct'; command: StaffCommand } | { kind: 'request'; id: string; isNew: boolean };

/** A program has the limits of the role `service`, and makes no requests. */
const rolesOf = (caller: Caller): readonly string[] => (caller.kind === 'user' ? caller.roles : ['service']);

/** `facts` are the loan's as the command was read from them. Throws DatabaseFault; safe to repeat. */
export async function askCommand(
  db: Database,
  caller: Caller,
  key: IdempotencyKey,
  asked: { command: StaffCommand; facts: LoanFacts; customerId: string | null; lastingHours: number },
): Promise<Result<Asked, 'key_reused' | 'person_required'>> {
  const { command, facts, customerId, lastingHours } = asked;
  const limited = isLimited(command)
    ? {
        kind: command.kind,
        accountId: command.accountId,
        customerId,
        currency: command.currency,
        amount: limitedAmount(command),
        facts,
        reason: command.reason,
      }
    : undefined;
  const row = await saveAsked(db, {
    maker: key.actor,
    key: key.key,
    request: key.request,
    roles: rolesOf(caller),
    command,
    limited,
    lastingHours,
  });
  if (row.state === 'reused') return refused('key_reused');
  if (row.state === 'person_required') return refused('person_required');
  return row.state === 'direct'
    ? ok({ kind: 'direct', command: row.told as unknown as StaffCommand })
    : ok({ kind: 'request', id: (row.told as { id: string }).id, isNew: row.state === 'new' });
}
