// For tests only: a ledger in memory that keeps what the contract says of keys, and goes away when told.

import type { Database, TransactionalDatabase } from '../database.ts';
import { parseAmount } from '../money.ts';
import { relayBatch } from '../outbox/relay.ts';
import type { Ledger, LedgerAnswer, PaymentToPost, ReversalToPost } from './ledger.ts';
import { postDue } from './post-due.ts';
import { takeMessages } from './take-messages.ts';
import { tryAgain } from './try-again.ts';

/** Messages become postings. */
export const takeWaiting = (db: TransactionalDatabase) =>
  relayBatch(
    db,
    'ledger',
    { append: (messages, tx) => takeMessages(tx, messages, { timeZone: 'Europe/Berlin' }) },
    500,
  );

/** Until nothing more happens; what waits for a time need not wait. `owner` may change anything. */
export async function settle(db: TransactionalDatabase, owner: Database, ledger: Ledger): Promise<void> {
  for (let quiet = 0; quiet < 2; ) {
    await owner.query(`update posting.postings set next_try_at = now() - interval '1 second'`);
    const { sent } = await takeWaiting(db);
    const { posted } = await postDue(db, ledger, 100);
    await tryAgain(db, 1_000);
    quiet = sent + posted === 0 ? quiet + 1 : 0;
  }
}

interface Transfer {
  id: string;
  request: string;
  loanId: string;
  paymentId: string;
  effectiveOn: string;
  amountMinor: bigint;
  reversedMinor: bigint;
}

export type Mood = 'well' | 'away' | 'loses_answers' | 'loses_some';

export function memoryLedger() {
  const transfers = new Map<string, Transfer>();
  const loans = new Set<string>();
  const told: string[] = [];
  const state = { mood: 'well' as Mood, asked: 0, posted: 0, replayed: 0 };

  const minor = (amount: string, currency: string) => {
    const read = parseAmount(amount, currency);
    if (!read.ok) throw new Error(`the ledger is asked to post ${amount} ${currency}`);
    return read.value.amountMinor;
  };

  function decide(asked: PaymentToPost | ReversalToPost, post: () => Transfer | string): LedgerAnswer {
    const request = JSON.stringify({ ...asked, actor: null });
    const first = transfers.get(asked.key);
    if (first) {
      state.replayed += 1;
      if (first.request !== request) return { outcome: 'refused', code: 'key_reused', message: 'another' };
      return { outcome: 'posted', transferId: first.id, version: '1' };
    }
    if (!loans.has(asked.loanId)) return { outcome: 'refused', code: 'unknown_loan', message: 'not here' };
    const transfer = post();
    if (typeof transfer === 'string') return { outcome: 'refused', code: transfer, message: transfer };
    transfers.set(asked.key, { ...transfer, request });
    told.push(asked.key);
    state.posted += 1;
    return { outcome: 'posted', transferId: transfer.id, version: '1' };
  }

  async function answer(asked: PaymentToPost | ReversalToPost, post: () => Transfer | string) {
    const n = ++state.asked;
    // Each takes its time, so that they end in another order than they began.
    await new Promise((resolve) => setTimeout(resolve, n % 3));
    if (state.mood === 'away') return { outcome: 'unavailable', message: 'away' } as const;
    const decided = decide(asked, post);
    const isLost = state.mood === 'loses_answers' || (state.mood === 'loses_some' && n % 2 === 0);
    return isLost ? ({ outcome: 'unknown', message: 'lost' } as const) : decided;
  }

  const ledger: Ledger = {
    post: (p) =>
      answer(p, () => ({
        id: crypto.randomUUID(),
        request: '',
        loanId: p.loanId,
        paymentId: p.paymentId,
        effectiveOn: p.effectiveOn,
        amountMinor: minor(p.amount, p.currency),
        reversedMinor: 0n,
      })),
    reverse: (r) =>
      answer(r, () => {
        const of = [...transfers.values()].find(({ id }) => id === r.transferId);
        if (!of || of.loanId !== r.loanId) return 'unknown_transfer';
        const amountMinor = minor(r.amount, r.currency);
        if (of.reversedMinor + amountMinor > of.amountMinor) return 'exceeds_reversible';
        of.reversedMinor += amountMinor;
        return { ...of, id: crypto.randomUUID(), amountMinor: -amountMinor, reversedMinor: 0n };
      }),
    isServing: async () => state.mood !== 'away',
  };

  /** What a payment comes to on each loan where it comes to something. */
  const netOf = (paymentId: string): Record<string, bigint> => {
    const net: Record<string, bigint> = {};
    for (const { loanId, amountMinor, ...transfer } of transfers.values()) {
      if (transfer.paymentId === paymentId) net[loanId] = (net[loanId] ?? 0n) + amountMinor;
    }
    return Object.fromEntries(Object.entries(net).filter(([, amount]) => amount !== 0n));
  };
  return { ledger, state, loans, transfers, netOf };
}
