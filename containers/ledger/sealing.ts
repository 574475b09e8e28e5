// Seals what has been posted, every few seconds. Beside other sealers it finds nothing to do.

import type { Database } from '../../shared/database.ts';
import { sealTransfers } from '../../shared/ledger/seal-transfers.ts';
import type { Part } from '../run-container.ts';

const everyMs = 2_000;
const atOnce = 2_000;

export function sealing(db: Database): Part {
  let sealed = 0;
  return {
    async step() {
      const done = await sealTransfers(db, atOnce);
      sealed += done;
      return done;
    },
    // One by one would cost a transaction each.
    idleMs: (done) => (done === atOnce ? 0 : everyMs),
    heartbeat: ({ condition }) => ({
      healthy: condition === 'running' || condition === 'draining',
      detail: { sealing_condition: condition, statements_sealed_total: sealed },
    }),
  };
}
