// The drain's step and its heartbeat: a batch from the stream is recorded in one transaction, then settled. Killed in
// between, it is recorded again, which changes nothing.
//
//   an entry                                        what follows
//   is recorded                                     settled
//   cannot be read                                  buried at once
//   the database is away, or does not let us work   stays ours, uses up no attempt; the loop backs off
//   faults for a reason of its own, among others    the batch is halved until it is alone; the others are settled
//   faults alone                                    tried again after retryAfterMs; the third time it is buried

import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import { type Arrival, recordArrivals } from '../../shared/payments/arrival.ts';
import { buriedWaiting, buryArrival } from '../../shared/payments/bury-arrivals.ts';
import { readAcceptedArrival } from '../../shared/payments/read-accepted-arrival.ts';
import type { LoopState } from '../loop.ts';
import type { AcceptedStream, Durability, Entry } from './accepted-stream.ts';

const attemptsBeforeBurial = 3;
const retryAfterMs = 1_000;
const checkEveryMs = 60_000;

export interface DrainOptions {
  db: TransactionalDatabase;
  accepted: AcceptedStream;
  batchSize: number;
  log: Log;
}

interface Readable {
  entry: Entry;
  arrival: Arrival;
}

export function draining({ db, accepted, batchSize, log }: DrainOptions) {
  const tried = new Map<string, { attempts: number; dueAt: number }>();
  let recordedTotal = 0;
  let buriedTotal = 0;

  const nextBatch = async (): Promise<Entry[]> => {
    const own = await accepted.own(batchSize);
    // What another drain has taken over meanwhile is no longer ours to count.
    if (own.length < batchSize) {
      for (const id of tried.keys()) if (!own.some((entry) => entry.id === id)) tried.delete(id);
    }
    const now = performance.now();
    const due = own.filter(({ id }) => (tried.get(id)?.dueAt ?? now) <= now);
    if (due.length > 0) return due;
    const stale = await accepted.stale(batchSize);
    return stale.length > 0 ? stale : accepted.fresh(batchSize);
  };

  const bury = async (entry: Entry, reason: string) => {
    const { stream } = accepted;
    await buryArrival(db, { stream, entryId: entry.id, arrival: entry.arrival ?? '', reason });
    await accepted.bury(entry, reason);
    tried.delete(entry.id);
    buriedTotal += 1;
    log.error('arrival_buried', { entry: entry.id, reason });
  };

  const failed = async (entry: Entry, error: unknown) => {
    const attempts = (tried.get(entry.id)?.attempts ?? 0) + 1;
    log.warn('arrival_failed', { entry: entry.id, attempts, ...errorFields(error) });
    if (attempts >= attemptsBeforeBurial) await bury(entry, reasonOf(error));
    else tried.set(entry.id, { attempts, dueAt: performance.now() + retryAfterMs });
  };

  const record = async (batch: Readable[]): Promise<void> => {
    const arrivals = batch.map(({ arrival }) => arrival);
    try {
      const outcomes = await db.transaction((tx) => recordArrivals(tx, arrivals));
      log.info('drained', tally(outcomes.map(({ outcome }) => outcome)));
    } catch (error) {
      if (isOurs(error)) throw error;
      if (batch.length === 1) return failed((batch[0] as Readable).entry, error);
      const middle = Math.ceil(batch.length / 2);
      await record(batch.slice(0, middle));
      return record(batch.slice(middle));
    }
    const ids = batch.map(({ entry }) => entry.id);
    await accepted.settle(ids);
    for (const id of ids) tried.delete(id);
    recordedTotal += batch.length;
  };

  const step = async (): Promise<number> => {
    const batch = await nextBatch();
    const readable: Readable[] = [];
    for (const entry of batch) {
      if (entry.arrival === null) {
        await accepted.settle([entry.id]);
        continue;
      }
      const read = readAcceptedArrival(entry.arrival ?? '');
      if (read.ok) readable.push({ entry, arrival: read.value });
      else await bury(entry, read.refusal);
    }
    if (readable.length > 0) await record(readable);
    return batch.length;
  };

  let checkedAt = Number.NEGATIVE_INFINITY;
  let durability: Durability = { store: 'unknown', faults: [] };
  let told = '';

  /** Says aloud what is wrong with the store whenever that changes, first of all at the start. */
  const check = async () => {
    if (performance.now() - checkedAt < checkEveryMs) return;
    durability = await accepted.durability();
    checkedAt = performance.now();
    const saying = `${durability.store} ${durability.faults.join('; ')}`;
    if (saying !== told && durability.store === 'not_durable')
      log.error('store_not_durable', { faults: durability.faults.join('; ') });
    if (saying !== told && durability.store === 'unknown') log.warn('store_durability_unknown');
    told = saying;
    await accepted.forgetDead();
  };

  const heartbeat = async ({ condition, failures }: LoopState) => {
    const backlog = await check()
      .then(() => accepted.backlog())
      .catch(() => undefined);
    // Asked anew as soon as it is back: it may be another server.
    if (!backlog) checkedAt = Number.NEGATIVE_INFINITY;
    const store = backlog ? durability.store : 'away';
    return {
      healthy:
        (store === 'durable' || store === 'unknown') && (condition === 'running' || condition === 'draining'),
      detail: {
        condition,
        failures,
        store,
        store_faults: durability.faults.join('; ') || null,
        backlog: backlog?.waiting ?? null,
        oldest_seconds: backlog?.oldestSeconds ?? null,
        recorded_total: recordedTotal,
        buried_total: buriedTotal,
        buried: await buriedWaiting(db),
      },
    };
  };

  return { step, heartbeat, check };
}

/** The classes of SQLSTATE that say that we may not or cannot work here; the arrival is not at fault. */
const oursByClass = /^(25|28|3D|3F|42)/;

const isOurs = (error: unknown): boolean =>
  error instanceof DatabaseFault &&
  (error.retryable || (error.sqlState !== undefined && oursByClass.test(error.sqlState)));

/** Never what Postgres quotes: that stays in the cause. */
const reasonOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
