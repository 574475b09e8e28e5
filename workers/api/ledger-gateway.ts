// The way to the ledger: its gateway's HTTP. What comes of a call is told apart as far as it can be: the ledger has answered
// or refused, nothing has been sent, or nobody knows. Says nothing twice by itself.

import type { LedgerCall } from '../../shared/ledger/staff-command.ts';
import { errorFields } from '../../shared/log.ts';
import { ok, type Result, refused } from '../../shared/result.ts';
import { type RequestContext, refuse } from '../app.ts';
import { actorOf } from '../caller.ts';
import type { ApiSettings } from './env.ts';

type C = RequestContext<ApiSettings>;

/** A message as protobuf's JSON: fields that have their zero value may be missing. */
export type Message = Record<string, unknown>;

export type LedgerRefusal =
  /** By the ledger, under a code of its own. */
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'unsupported' }
  /** Nothing has happened. */
  | { kind: 'unavailable'; retryAfterSeconds: number }
  /** Of what was to change something only. */
  | { kind: 'unknown' };

const away = (retryAfterSeconds = 5): LedgerRefusal => ({ kind: 'unavailable', retryAfterSeconds });

/** A call that changes nothing is never `unknown`. */
export async function callLedger(
  c: C,
  { service, method, message }: LedgerCall,
  { changes }: { changes: boolean },
): Promise<Result<Message, LedgerRefusal>> {
  const lost = refused<LedgerRefusal>(changes ? { kind: 'unknown' } : away());
  const init = { method: 'POST', body: JSON.stringify(message) };
  const response = await asked(c, `/v1/${service}/${method}`, init);
  if (response === 'not configured') return refused(away(60));
  if (response === 'lost') return lost;
  try {
    const body = await response.json();
    if (response.ok) return ok(body as Message);
    return refused(refusalOf(c, response, body as Problem, changes));
  } catch {
    c.get('log').error('ledger_answer', { status: response.status, code: null });
    return lost;
  }
}

/** The loan's transactions as they are committed; the request's end ends it. */
export async function watchLedger(
  c: C,
  accountId: string,
  after: string | undefined,
  signal: AbortSignal,
): Promise<Result<ReadableStream<Uint8Array>, LedgerRefusal>> {
  const query = new URLSearchParams({
    loanAccountId: accountId,
    ...(after === undefined ? {} : { fromTransactionId: after }),
  });
  const headers = { accept: 'text/event-stream' };
  const response = await asked(c, `/v1/accounting/WatchTransactions?${query}`, { headers, signal });
  if (response === 'not configured') return refused(away(60));
  if (response === 'lost') return refused(away());
  if (response.ok && response.body) return ok(response.body);
  const body = await response.json().catch(() => ({}));
  return refused(refusalOf(c, response, body as Problem, false));
}

async function asked(c: C, path: string, init: RequestInit): Promise<Response | 'not configured' | 'lost'> {
  const { ledger } = c.get('settings');
  if (!ledger) return 'not configured';
  try {
    return await fetch(new URL(path, ledger.url), {
      ...init,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${ledger.key}`,
        'x-actor': actorOf(c.get('caller')),
        'x-request-id': c.get('requestId'),
        ...init.headers,
      },
      redirect: 'manual',
      signal: init.signal ?? AbortSignal.timeout(ledger.timeoutMs),
    });
  } catch (error) {
    c.get('log').error('ledger_away', errorFields(error));
    return 'lost';
  }
}

interface Problem {
  code?: unknown;
  detail?: unknown;
}

function refusalOf(c: C, response: Response, { code, detail }: Problem, changes: boolean): LedgerRefusal {
  const { status } = response;
  if (status === 501) return { kind: 'unsupported' };
  // Said by the gateway, and by no proxy on the way, it means that nothing was sent.
  if ((status === 503 || status === 429) && typeof code === 'string') {
    const after = Number(response.headers.get('retry-after'));
    return away(after > 0 ? after : 5);
  }
  if ([400, 404, 409, 422].includes(status) && typeof code === 'string') {
    return { kind: 'refused', code, message: typeof detail === 'string' ? detail : '' };
  }
  c.get('log').error('ledger_answer', { status, code: typeof code === 'string' ? code : null });
  // Not let in, so nothing was sent on.
  if (status === 401 || status === 403) return away(60);
  return changes ? { kind: 'unknown' } : away();
}

/** Fields of the body that a refusal of the ledger's is about. */
const fieldOf: Record<string, string> = {
  invalid_amount: 'amount',
  currency_mismatch: 'currency',
  invalid_date: 'date',
};

export function refuseLedger(c: C, refusal: LedgerRefusal, accountId: string): Response {
  switch (refusal.kind) {
    case 'unsupported':
      return refuse(c, 'not_supported_by_ledger');
    case 'unavailable':
      return refuse(c, 'ledger_unavailable', { retryAfterSeconds: refusal.retryAfterSeconds });
    case 'unknown':
      return refuse(c, 'outcome_unknown', {
        detail:
          'Ask again with the same Idempotency-Key: if it has happened the answer is that of the first time, and it happens no second time.',
        members: { lookAt: `/api/v1/ledger/accounts/${encodeURIComponent(accountId)}/transactions` },
      });
    case 'refused': {
      const { code, message } = refusal;
      if (code === 'unknown_loan') return refuse(c, 'unknown_to_ledger');
      if (code === 'key_reused') return refuse(c, 'idempotency_key_reused');
      const field = fieldOf[code];
      return field
        ? refuse(c, 'invalid_request', { errors: [{ field, code, message }] })
        : refuse(c, 'ledger_refused', { detail: message || undefined, members: { reason: code } });
    }
  }
}

/** The problems that whatever asks the ledger may answer. */
export const ledgerProblems = [
  'unknown_to_ledger',
  'ledger_refused',
  'not_supported_by_ledger',
  'ledger_unavailable',
] as const;
