// One payment's way to Postgres, with the two layers of deduplication in front of it. What they hold has been
// committed, so they may answer a duplicate; everything else is Postgres' to say.

import { DatabaseFault } from '../../shared/database.ts';
import { factsHash, identityOf, type NewPayment, type Recorded } from '../../shared/payments/payment.ts';
import type { Afterwards } from '../afterwards.ts';
import { openRedis } from '../redis.ts';
import { createCommit } from './commit-payment.ts';
import type { WebhooksSettings } from './env.ts';
import type { Guard } from './guard.ts';
import { markKey, markValue, redisAskTimeoutMs, SeenInMemory, seenInRedis } from './seen-payments.ts';

/** A database slower than this is helped by asking Redis whether the payment is known already. */
const slowDatabaseMs = 300;

export type RecordPayment = (payment: NewPayment, afterwards: Afterwards) => Promise<Recorded>;

/** Memory, then Postgres, and Redis only where Postgres is slow or away. Throws DatabaseFault. */
export function createRecorder(settings: WebhooksSettings, guard: Guard): RecordPayment {
  const seen = new SeenInMemory(settings.memoryCacheSize);
  for (const recent of settings.recentPayments.toReversed()) seen.set(identityOf(recent), recent);
  const commit = createCommit(settings);

  return async (payment, afterwards) => {
    const { counts } = afterwards;
    const looked = (layer: string, result: 'hit' | 'miss' | 'away') =>
      counts.add('recoup_dedup_lookups_total', { layer, result });
    const identity = identityOf(payment);
    const facts = await factsHash(payment);

    const inMemory = seen.get(identity);
    if (settings.memoryCacheSize > 0) looked('memory', inMemory?.factsHash === facts ? 'hit' : 'miss');
    if (inMemory?.factsHash === facts) return { outcome: 'duplicate', paymentId: inMemory.paymentId };

    const startedAt = Date.now();
    const recording = guard(() => commit(payment));
    const recorded = await unlessSlow(recording, async () => {
      if (settings.redisCacheTtlSeconds === 0) return undefined;
      const asked = seenInRedis(openRedis(settings.redis, redisAskTimeoutMs), identity);
      const inRedis = await asked.catch(() => 'away' as const);
      if (inRedis === 'away') {
        looked('redis', 'away');
        return undefined;
      }
      looked('redis', inRedis?.factsHash === facts ? 'hit' : 'miss');
      if (inRedis?.factsHash !== facts) return undefined;
      const value = { outcome: 'duplicate', paymentId: inRedis.paymentId } as const;
      return { value, isOlder: (inRedis.markedAt ?? 0) < startedAt };
    });
    if ('layer' in recorded) return recorded.value;

    const first = recorded.value;
    looked('database', first.outcome === 'duplicate' ? 'hit' : 'miss');
    if (first.outcome !== 'conflict') {
      const mark = { paymentId: first.paymentId, factsHash: facts, markedAt: Date.now() };
      seen.set(identity, mark);
      if (settings.redisCacheTtlSeconds > 0) {
        afterwards.mark(markKey(identity), markValue(mark), settings.redisCacheTtlSeconds);
      }
    }
    return first;
  };
}

/**
 * The database's answer, or that of `ask` when the database is away, or slow and what `ask` knows is older than this
 * request: a younger one may tell of what this very statement has done. The statement goes on either way; whatever
 * it does, it does once.
 */
async function unlessSlow<T, U>(
  recording: Promise<T>,
  ask: () => Promise<{ value: U; isOlder: boolean } | undefined>,
): Promise<{ value: T } | { layer: 'redis'; value: U }> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const slow = new Promise<'slow'>((resolve) => {
    timer = setTimeout(() => resolve('slow'), slowDatabaseMs);
  });
  const settled = recording.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const early = await Promise.race([settled, slow]);
  clearTimeout(timer);
  if (early !== 'slow' && 'value' in early) return early;
  if (early !== 'slow' && !(early.error instanceof DatabaseFault && early.error.retryable)) throw early.error;

  const known = await ask();
  if (known?.isOlder) return { layer: 'redis', value: known.value };
  const late = await settled;
  if ('value' in late) return late;
  if (known) return { layer: 'redis', value: known.value };
  throw late.error;
}
