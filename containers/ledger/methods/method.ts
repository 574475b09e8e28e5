// What a method of the contract is to this container: a message and who asks become a message, or a refusal.

import type { LedgerRefusal } from '../../../shared/ledger/command.ts';
import type { Result } from '../../../shared/result.ts';

export interface Caller {
  /** Who asks, as the audit trail writes it; a request of loan_ledger.proto may name somebody itself. */
  actor: string;
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}

/** Throws DatabaseFault, OutcomeUnknown, Overloaded, Withdrawn. */
export type Method<Request, Response> = (
  request: Request,
  caller: Caller,
) => Promise<Result<Response, LedgerRefusal>>;

/** Sends as fast as the caller takes; it ends when the caller has gone, or with a refusal before the first message. */
export type StreamMethod<Request, Response> = (
  request: Request,
  caller: Caller,
  send: (message: Response) => Promise<void>,
) => Promise<Result<void, LedgerRefusal>>;
