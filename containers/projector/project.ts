// A lane of the projector: its step and what it knows of itself. A batch is read, folded in one transaction, and then
// settled. Killed in between, it is delivered again, which the primary key of event ids makes a batch of duplicates.
//
//   a delivery                                      what follows
//   is folded, or was before                        settled
//   cannot be read, or has another event's id       buried at once, settled
//   the database is away, or does not let us work   stays ours, uses up no attempt; the loop backs off
//   faults for a reason of its own, among others    the batch is halved until it is alone; the others are settled
//   faults alone                                    tried again after a while; the third time it is buried
//
// Later events of the same aggregate do not wait for one that fails: folding takes them in any order.

import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';
import { buryEvents } from '../../shared/dead-letters/bury-events.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import { countAttempt, forgetAttempts } from '../../shared/servicing/count-attempt.ts';
import { foldBatch, type Incoming, type Tools } from '../../shared/servicing/fold-batch.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import { type Fields, readEnvelope } from '../../shared/stream/envelope.ts';
import type { Burial } from './dead-letter-stream.ts';
import type { Delivery, Source } from './source.ts';
import type { Tally } from './tally.ts';

const attemptsBeforeBurial = 3;
const retryAfterMs = [1_000, 5_000];

export interface Lane {
  db: TransactionalDatabase;
  source: Source;
  /** Beside the table that keeps them; undefined where there is no Redis. */
  deadLetterStream: { bury(delivery: Delivery, burial: Burial): Promise<void> } | undefined;
  tools: Tools;
  batchSize: number;
  tally: Tally;
  log: Log;
}

interface Readable {
  delivery: Delivery;
  incoming: Incoming;
}

const nameOf = ({ source, entryId }: Delivery) => `${source} ${entryId}`;

/** Answers how many deliveries it dealt with. */
export function projecting({ db, source, deadLetterStream, tools, batchSize, tally, log }: Lane) {
  /** Entries that failed, and when they are tried again. */
  const resting = new Map<string, number>();
  const isResting = (delivery: Delivery) => (resting.get(nameOf(delivery)) ?? 0) > performance.now();

  const bury = async (delivery: Delivery, burial: Burial, stack: string | null = null) => {
    const { source: stream, entryId, fields } = delivery;
    const letter = { source: stream, entryId, eventId: burial.eventId ?? null, type: burial.type ?? null };
    await buryEvents(db, [{ ...letter, fields: fields ?? {}, reason: burial.reason, stack }]);
    await deadLetterStream?.bury(delivery, burial);
    tally.buried();
    log.error('event_buried', { stream, entry: entryId, event: burial.eventId, reason: burial.reason });
  };

  const failed = async ({ delivery, incoming }: Readable, error: unknown): Promise<Delivery[]> => {
    const reason = reasonOf(error);
    const attempts = await countAttempt(db, delivery, reason);
    const { id, type } = incoming.read.event;
    log.warn('event_failed', { entry: delivery.entryId, event: id, attempts, ...errorFields(error) });
    const rest = retryAfterMs[attempts - 1];
    if (attempts < attemptsBeforeBurial && rest !== undefined) {
      resting.set(nameOf(delivery), performance.now() + rest);
      return [];
    }
    await bury(delivery, { reason, eventId: id, type }, stackOf(error));
    await forgetAttempts(db, [delivery]);
    resting.delete(nameOf(delivery));
    return [delivery];
  };

  /** Folds what it can; answers the deliveries that are done with. */
  const fold = async (batch: Readable[]): Promise<Delivery[]> => {
    try {
      const incoming = batch.map((readable) => readable.incoming);
      const outcomes = await db.transaction((tx) => foldBatch(tx, incoming, tools));
      tally.folded(incoming, outcomes);
      for (const [i, outcome] of outcomes.entries()) {
        const { delivery, incoming: one } = batch[i] as Readable;
        const { id, type } = one.read.event;
        if (outcome === 'conflict')
          await bury(delivery, { reason: 'another event has this id', eventId: id, type });
      }
    } catch (error) {
      if (isOurs(error)) throw error;
      if (batch.length === 1) return failed(batch[0] as Readable, error);
      const middle = Math.ceil(batch.length / 2);
      return [...(await fold(batch.slice(0, middle))), ...(await fold(batch.slice(middle)))];
    }
    const deliveries = batch.map(({ delivery }) => delivery);
    const rested = deliveries.filter((delivery) => resting.delete(nameOf(delivery)));
    if (rested.length > 0) await forgetAttempts(db, rested);
    return deliveries;
  };

  const step = async (): Promise<number> => {
    const deliveries = await source.next(batchSize, isResting);
    const readable: Readable[] = [];
    const done: Delivery[] = [];
    for (const delivery of deliveries) {
      const read = delivery.fields && readDelivery(delivery, delivery.fields, tools);
      if (read && 'incoming' in read) {
        readable.push(read);
        continue;
      }
      if (read) await bury(delivery, read.burial);
      done.push(delivery);
    }
    if (readable.length > 0) done.push(...(await fold(readable)));
    if (done.length > 0) await source.settle(done);
    return done.length;
  };

  return { step };
}

function readDelivery(delivery: Delivery, fields: Fields, { rules }: Tools): Readable | { burial: Burial } {
  const envelope = readEnvelope(fields, rules.timeZone);
  if (!envelope.ok) return { burial: { reason: envelope.refusal, eventId: undefined, type: undefined } };
  const read = readEvent(envelope.value, rules);
  if (read.ok) return { delivery, incoming: { source: delivery.source, read: read.value } };
  return { burial: { reason: read.refusal, eventId: envelope.value.id, type: envelope.value.type } };
}

/** The classes of SQLSTATE that say that we may not or cannot work here; the event is not at fault. */
const oursByClass = /^(25|28|3D|3F|42)/;

const isOurs = (error: unknown): boolean =>
  error instanceof DatabaseFault &&
  (error.retryable || (error.sqlState !== undefined && oursByClass.test(error.sqlState)));

/** Never what Postgres quotes: that stays in the cause. */
const reasonOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

const stackOf = (error: unknown): string | null => (error instanceof Error ? (error.stack ?? null) : null);
