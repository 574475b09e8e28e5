// Seals what the audit trail has got, every few seconds. Beside other sealers it finds nothing to do.

import { sealEntries } from '../../shared/audit/seal-entries.ts';
import type { Database } from '../../shared/database.ts';
import type { Part } from '../run-container.ts';

const everyMs = 2_000;
const atOnce = 2_000;

export function sealing(db: Database): Part {
  let sealed = 0;
  return {
    async step() {
      const done = await sealEntries(db, atOnce);
      sealed += done;
      return done;
    },
    // One by one would cost a transaction each.
    idleMs: (done) => (done === atOnce ? 0 : everyMs),
    heartbeat: ({ condition, failures }) => ({
      healthy: condition === 'running' || condition === 'draining',
      detail: { sealing_condition: condition, sealing_failures: failures, sealed_total: sealed },
    }),
  };
}
