// WatchTransactions: what came after the transaction that the caller names, or from now on, then each as it is
// committed, until the caller goes.

import type { Database } from '../../../shared/database.ts';
import { readBalances } from '../../../shared/ledger/read-loan.ts';
import { findTransfer, transfersAfter } from '../../../shared/ledger/read-transfers.ts';
import { ok, refused } from '../../../shared/result.ts';
import { isName } from '../../../shared/stream/envelope.ts';
import { Overloaded } from '../batching.ts';
import type { LedgerMethods } from '../server.ts';
import type { Watching } from '../watching.ts';
import { transactionOf } from './messages.ts';
import { unknownLoan } from './reads.ts';

const atOnce = 100;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function watchMethods(db: Database, watching: Watching): LedgerMethods['watching'] {
  return {
    async watchTransactions({ loanAccountId, fromTransactionId }, { signal }, send) {
      const loan = isName(loanAccountId) ? await readBalances(db, loanAccountId) : undefined;
      if (!loan) return unknownLoan();
      let { version } = loan;
      if (fromTransactionId) {
        const from = uuid.test(fromTransactionId) ? await findTransfer(db, fromTransactionId) : undefined;
        if (from?.loanId !== loanAccountId)
          return refused({ code: 'unknown_transfer', message: 'no such transaction of this loan' });
        version = from.version;
      }
      const watcher = watching.watch(loanAccountId);
      if (!watcher) throw new Overloaded('too many watch already');
      try {
        // Reads once before it waits: what was committed since the first look has woken nobody.
        for (; !signal.aborted; await watcher.beyond(version, signal)) {
          for (let more = true; more && !signal.aborted; ) {
            const transfers = await transfersAfter(db, loanAccountId, version, atOnce);
            for (const transfer of transfers) {
              await send(transactionOf(transfer));
              version = transfer.version;
            }
            more = transfers.length === atOnce;
          }
        }
        return ok(undefined);
      } finally {
        watcher.leave();
      }
    },
  };
}
