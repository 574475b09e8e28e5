// Asks the ledger for what is pending, a batch side by side, one process at a time. Each is asked for under the id that
// was saved with it, so killed between the ledger's commit and ours it is asked for again and answered as the first time.
//
//   the ledger            the posting
//   has posted it         posted; what waited for it is pending
//   says no               held, with the reason; void when it has been taken back meanwhile
//   may have posted it    stays pending, and is asked for again after 2, 4, 8, … seconds
//   is away               stays as it was

import type { TransactionalDatabase } from '../database.ts';
import type { Ledger, LedgerAnswer } from './ledger.ts';
import { type Decided, type DuePosting, duePostings, saveDecided, tryPostingLock } from './store.ts';

/** The ledger took nothing of a batch. Worth repeating. The message is safe to log. */
export class LedgerFault extends Error {
  override readonly name = 'LedgerFault';
}

export interface PostedBatch {
  posted: number;
  held: number;
  /** Nobody knows about these yet, or the ledger was away for them. */
  undecided: number;
  /** Another process asks the ledger. */
  standingBy: boolean;
}

/**
 * At most `limit`, all at once. Throws LedgerFault when nothing of what was due has been decided, and DatabaseFault;
 * calling again is the retry.
 */
export async function postDue(
  db: TransactionalDatabase,
  ledger: Ledger,
  limit: number,
): Promise<PostedBatch> {
  // Mostly there is nothing, and then this is all that it costs.
  if ((await duePostings(db, 1)).length === 0) return { posted: 0, held: 0, undecided: 0, standingBy: false };
  const { answers, ...batch } = await db.transaction(async (tx) => {
    if (!(await tryPostingLock(tx))) return { answers: [], standingBy: true };
    const due = await duePostings(tx, limit);
    const answers = await Promise.all(due.map((posting) => ask(ledger, posting)));
    const decided = due.flatMap((posting, n) => decidedBy(posting, answers[n] as LedgerAnswer));
    if (decided.length > 0) await saveDecided(tx, decided);
    return { answers, standingBy: false };
  });
  const count = (outcome: LedgerAnswer['outcome']) => answers.filter((a) => a.outcome === outcome).length;
  const [posted, held] = [count('posted'), count('refused')];
  const undecided = answers.length - posted - held;
  const silence = answers.find((answer) => answer.outcome === 'unavailable' || answer.outcome === 'unknown');
  if (silence && undecided === answers.length) throw new LedgerFault(silence.message);
  return { ...batch, posted, held, undecided };
}

function ask(ledger: Ledger, p: DuePosting): Promise<LedgerAnswer> {
  const { id: key, accountId: loanId, amount, currency, effectiveOn, actor } = p;
  const asked = { key, actor, loanId, amount, currency, effectiveOn };
  return p.kind === 'payment'
    ? ledger.post({ ...asked, paymentId: p.paymentId, reference: p.referenceNumber })
    : ledger.reverse({ ...asked, transferId: p.transferId as string, reason: p.reason ?? '' });
}

function decidedBy({ id, accountId }: DuePosting, answer: LedgerAnswer): Decided[] {
  const none = { id, accountId, transferId: null, version: null, code: null, message: null };
  switch (answer.outcome) {
    case 'posted':
      return [{ ...none, outcome: 'posted', transferId: answer.transferId, version: answer.version }];
    case 'refused':
      return [{ ...none, outcome: 'refused', code: answer.code, message: answer.message }];
    case 'unknown':
      return [{ ...none, outcome: 'unknown', message: answer.message }];
    case 'unavailable':
      return [];
  }
}
