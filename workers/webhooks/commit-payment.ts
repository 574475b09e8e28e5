// One payment into Postgres, sharing a statement with others where the runtime has a place for them to meet: a
// Durable Object on Cloudflare, the process itself where POSTGRES is bound. Otherwise by itself.

import type { Database } from '../../shared/database.ts';
import { type CommitPayment, groupCommit, groupCommitLimits } from '../../shared/payments/group-commit.ts';
import { identityOf, type NewPayment, type Recorded } from '../../shared/payments/payment.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { openDatabase } from '../database.ts';
import type { CommitObjects, WebhooksSettings } from './env.ts';
import { paymentToText, recordedFromText } from './payment-wire.ts';

/** An object that failed or was slow is left alone for this long. */
const awayMs = 2_000;

/** Throws DatabaseFault. */
export function createCommit({
  database,
  groupCommitShards,
  commitObjects,
}: WebhooksSettings): CommitPayment {
  const db = openDatabase(database);
  if (groupCommitShards > 0 && database.bound) {
    return groupCommit((payments) => recordPayments(db, payments), groupCommitLimits);
  }
  if (groupCommitShards === 0 || !commitObjects) return (payment) => recordOne(db, payment);
  const ask = askObjects(commitObjects, groupCommitShards, database.timeoutMs);
  return unlessAway(ask, database.timeoutMs, (payment, timeoutMs) =>
    recordOne(openDatabase({ ...database, timeoutMs }), payment),
  );
}

const recordOne = async (db: Database, payment: NewPayment): Promise<Recorded> =>
  (await recordPayments(db, [payment]))[0] as Recorded;

/** What an object answers, as text; undefined when the object itself fails or is late. */
type Ask = (payment: NewPayment) => Promise<string | undefined>;

const askObjects =
  (objects: CommitObjects, shards: number, limitMs: number): Ask =>
  async (payment) => {
    try {
      const id = objects.idFromName(`shard ${shardOf(identityOf(payment), shards)}`);
      const init = { method: 'POST', body: paymentToText(payment), signal: AbortSignal.timeout(limitMs) };
      const answer = await objects.get(id).fetch('http://payment-commits/', init);
      return answer.ok ? await answer.text() : undefined;
    } catch {
      return undefined;
    }
  };

/** Copies of a payment meet in one shard. FNV-1a: spreads well, and needs no promise. */
function shardOf(identity: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < identity.length; i++) hash = Math.imul(hash ^ identity.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}

/**
 * What the database says through the object is the answer. When the object fails, or has said nothing in half of the
 * time, the payment is recorded directly as well: whatever the object still does, it stays one payment.
 */
function unlessAway(
  ask: Ask,
  timeoutMs: number,
  directly: (payment: NewPayment, timeoutMs: number) => Promise<Recorded>,
): CommitPayment {
  let awayUntil = 0;
  return async (payment) => {
    if (Date.now() < awayUntil) return directly(payment, timeoutMs);
    const asked = ask(payment);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const slow = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs / 2);
    });
    const inTime = await Promise.race([asked, slow]);
    clearTimeout(timer);
    if (inTime !== undefined) return recordedFromText(inTime);

    awayUntil = Date.now() + awayMs;
    const recorded = await directly(payment, Math.ceil(timeoutMs / 2));
    if (recorded.outcome !== 'duplicate') return recorded;
    // A duplicate, perhaps of what the object has just created for this very request: then it was created.
    const late = await asked;
    return late === undefined ? recorded : recordedFromText(late);
  };
}
