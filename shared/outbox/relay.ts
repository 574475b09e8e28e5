// Takes a destination's messages to its log: each at least once, those of one key in the order of their positions,
// one relay at a time. It keeps no memory of what was sent: a row that exists is pending, so that a slow transaction
// with a low position is late but never skipped, and nothing accumulates. What the log will never take is set aside.
//
//   step                      a crash right after it
//   lock the destination      the lock goes with the transaction
//   take the first messages   rolled back: the rows are still there
//   append, wait for the log  as above: sent again under the same event ids
//   commit                    done

import type { Database, TransactionalDatabase } from '../database.ts';
import { TooLargeFault } from './event-log.ts';
import type { OutboxMessage, Undeliverable } from './message.ts';
import { hasMessages, saveUndeliverable, takeFirst, tryLock } from './store.ts';

/** Half of what a Kafka broker takes in one request by default, and an end to what a batch holds in memory. */
const maxBytes = 512 * 1024;
/** More than any log takes by default, and still read without harm. */
const maxPayloadBytes = 16 * 1024 * 1024;

/** What a destination does with its messages; `tx` is the transaction that takes them out of the outbox. */
export interface Receiver {
  append(messages: readonly OutboxMessage[], tx: Database): Promise<void>;
}

export interface Relayed {
  /** Messages confirmed by the log and gone from the outbox. */
  sent: number;
  /** Messages that the log will never take, gone from the outbox and kept as undeliverable. */
  setAside: readonly Undeliverable[];
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
  log: Receiver,
  limit: number,
): Promise<Relayed> {
  if (!(await hasMessages(db, destination))) return { sent: 0, setAside: [], standingBy: false };
  return db.transaction(async (tx) => {
    // A statement of its own: the next one's snapshot is then younger than the lock, and cannot show rows that the
    // lock's last holder has sent.
    if (!(await tryLock(tx, destination))) return { sent: 0, setAside: [], standingBy: true };
    const taken = await takeFirst(tx, destination, { limit, maxBytes, maxPayloadBytes });
    const refused = taken.messages.length > 0 ? await deliver(tx, destination, log, taken.messages) : [];
    return {
      sent: taken.messages.length - refused.length,
      setAside: [...taken.setAside, ...refused],
      standingBy: false,
    };
  });
}

/**
 * Appends the messages; where that is too much at once, one half after the other, which keeps the order, down to
 * single messages that the log refuses. Those it saves and answers. Parts of a refused batch may be sent twice.
 */
async function deliver(
  tx: Database,
  destination: string,
  log: Receiver,
  messages: readonly OutboxMessage[],
): Promise<Undeliverable[]> {
  try {
    await log.append(messages, tx);
    return [];
  } catch (error) {
    if (!(error instanceof TooLargeFault)) throw error;
    const [first] = messages;
    if (first && messages.length === 1) {
      await saveUndeliverable(tx, destination, first, error.message);
      return [{ eventId: first.eventId, reason: error.message }];
    }
    const half = Math.ceil(messages.length / 2);
    const refused = await deliver(tx, destination, log, messages.slice(0, half));
    return [...refused, ...(await deliver(tx, destination, log, messages.slice(half)))];
  }
}
