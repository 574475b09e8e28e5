// Takes a destination's messages to its log: each at least once, those of one key in the order of their positions,
// one relay at a time. It keeps no memory of what was sent: a row that exists is pending, so that a slow transaction
// with a low position is late but never skipped, and nothing accumulates.
//
//   step                      a crash right after it
//   lock the destination      the lock goes with the transaction
//   read the first messages   nothing has happened
//   append, wait for the log  rows are still there: sent again under the same event ids
//   delete the rows           rolled back: as above
//   commit                    done

import type { TransactionalDatabase } from '../database.ts';
import type { EventLog } from './event-log.ts';
import { firstMessages, hasMessages, removeMessages, tryLock } from './store.ts';

/** Half of what a Kafka broker takes in one request by default, and an end to what a batch holds in memory. */
const maxBatchBytes = 512 * 1024;

export interface Relayed {
  /** Messages confirmed by the log and gone from the outbox. */
  sent: number;
  /** There were messages, but another relay has the destination. */
  standingBy: boolean;
}

/**
 * Relays at most `limit` messages. An empty outbox costs one statement. Throws DatabaseFault and EventLogFault;
 * calling again is the retry.
 */
export async function relayBatch(
  db: TransactionalDatabase,
  destination: string,
  log: EventLog,
  limit: number,
): Promise<Relayed> {
  if (!(await hasMessages(db, destination))) return { sent: 0, standingBy: false };
  return db.transaction(async (tx) => {
    // A statement of its own: the next one's snapshot is then younger than the lock, and cannot show rows that the
    // lock's last holder has sent and deleted.
    if (!(await tryLock(tx, destination))) return { sent: 0, standingBy: true };
    const batch = await firstMessages(tx, destination, limit, maxBatchBytes);
    if (batch.length > 0) {
      await log.append(batch);
      await removeMessages(tx, destination, batch);
    }
    return { sent: batch.length, standingBy: false };
  });
}
