// A lane of the projector: its step and what it knows of itself. A batch is read, folded in one transaction, and then
// settled. Killed in between, it is delivered again, which the primary key of event ids makes a batch of duplicates.
//
//   a delivery                                      what follows
//   is folded, or was before                        settled
//   cannot be read, or has another event's id       buried at once, settled
//   the database is away, or does not let us work   stays ours, uses up no attempt; the loop backs off
//   faults for a reason of its own, among others    the batch is halved until it is alone; the others are settled
//   takes the database too long, among others       smaller batches follow, in later steps, until it is alone
//   faults or takes too long alone                  tried again after a while, alone; the third time it is buried
//   is buried, but not in the stream of letters     stays ours until that stream takes it; the others go on
//
// Later events of the same aggregate do not wait for one that fails: folding takes them in any order.

import { DatabaseFault, type TransactionalDatabase } from '../../shared/database.ts';
import { buryEvents } from '../../shared/dead-letters/bury-events.ts';
import { errorFields, type Log } from '../../shared/log.ts';
import { countAttempt, forgetAttempts } from '../../shared/servicing/count-attempt.ts';
import { type Folded, foldBatch, type Incoming, type Tools } from '../../shared/servicing/fold-batch.ts';
import { readEvent } from '../../shared/servicing/read-event.ts';
import { MasterKeyFault } from '../../shared/servicing/vault.ts';
import { type Fields, readEnvelope } from '../../shared/stream/envelope.ts';
import type { Burial, Letter } from './dead-letter-stream.ts';
import { nameUuid } from './name-uuid.ts';
import type { Delivery, Source } from './source.ts';
import type { Tally } from './tally.ts';

const attemptsBeforeBurial = 3;
const retryAfterMs = [1_000, 5_000];
/** Those that are tried again take turns over several steps: health can tell a long step only from one that hangs. */
const triedAgainForMs = 2_000;
/** The stream of dead letters is not asked again for so long after a fault: each could take seconds. */
const streamRestMs = 5_000;

export interface Lane {
  db: TransactionalDatabase;
  source: Source;
  /** Beside the table that keeps them; undefined where there is no Redis. */
  deadLetterStream: { bury(letters: readonly Letter[]): Promise<void> } | undefined;
  tools: Tools;
  batchSize: number;
  tally: Tally;
  log: Log;
}

interface Readable {
  delivery: Delivery;
  incoming: Incoming;
}

interface Unfoldable extends Letter {
  stack: string | null;
}

/** What a batch has come to. */
interface Outcome {
  settled: Delivery[];
  letters: Unfoldable[];
}

const nothing: Outcome = { settled: [], letters: [] };
const both = (one: Outcome, other: Outcome): Outcome => ({
  settled: [...one.settled, ...other.settled],
  letters: [...one.letters, ...other.letters],
});

const nameOf = ({ source, entryId }: Delivery) => `${source} ${entryId}`;

/** Answers how many deliveries it dealt with. */
export function projecting({ db, source, deadLetterStream, tools, batchSize, tally, log }: Lane) {
  /** Entries that failed, and when they are tried again. */
  const resting = new Map<string, number>();
  const isResting = (delivery: Delivery) => (resting.get(nameOf(delivery)) ?? 0) > performance.now();
  const rest = (delivery: Delivery, ms: number) => resting.set(nameOf(delivery), performance.now() + ms);
  let streamRestsUntil = 0;
  /** So many at a time, after a batch took too long. */
  let most = batchSize;

  /** Answers those that are in both places. The table keeps them whole, so no other event has to wait for the stream. */
  const bury = async (letters: readonly Unfoldable[]): Promise<Delivery[]> => {
    if (letters.length === 0) return [];
    await buryEvents(
      db,
      letters.map(({ delivery: { source: stream, entryId, fields }, burial, stack }) => ({
        source: stream,
        entryId,
        eventId: burial.eventId ?? null,
        type: burial.type ?? null,
        fields: fields ?? {},
        reason: burial.reason,
        stack,
      })),
    );
    try {
      if (performance.now() >= streamRestsUntil) await deadLetterStream?.bury(letters);
    } catch (error) {
      log.warn('dead_letter_stream_failed', errorFields(error));
      streamRestsUntil = performance.now() + streamRestMs;
    }
    if (performance.now() < streamRestsUntil) {
      for (const { delivery } of letters) rest(delivery, streamRestMs);
      return [];
    }
    tally.buried(letters.length);
    for (const { delivery, burial } of letters)
      log.error('event_buried', {
        stream: delivery.source,
        entry: delivery.entryId,
        event_id: burial.eventId,
        reason: burial.reason,
      });
    return letters.map(({ delivery }) => delivery);
  };

  const failed = async ({ delivery, incoming }: Readable, error: unknown): Promise<Outcome> => {
    const reason = reasonOf(error);
    const attempts = await countAttempt(db, delivery, reason);
    const { id, type } = incoming.read.event;
    log.warn('event_failed', { entry: delivery.entryId, event_id: id, attempts, ...errorFields(error) });
    rest(delivery, retryAfterMs[attempts - 1] ?? 0);
    if (attempts < attemptsBeforeBurial) return { settled: [], letters: [] };
    return {
      settled: [],
      letters: [{ delivery, burial: { reason, eventId: id, type }, stack: stackOf(error) }],
    };
  };

  const fold = async (batch: readonly Readable[]): Promise<Outcome> => {
    const incoming = batch.map((readable) => readable.incoming);
    let outcomes: Folded[];
    try {
      outcomes = await db.transaction((tx) => foldBatch(tx, incoming, tools));
    } catch (error) {
      const [alone] = batch;
      if (batch.length === 1 && alone && (!isOurs(error) || isTooSlow(error))) return failed(alone, error);
      if (isTooSlow(error)) {
        most = Math.ceil(batch.length / 2);
        log.warn('batch_too_slow', { events: batch.length, ...errorFields(error) });
        return nothing;
      }
      if (isOurs(error) && !(isTooMuch(error) && batch.length > 1)) throw error;
      const middle = Math.ceil(batch.length / 2);
      const [one, other] = [await fold(batch.slice(0, middle)), await fold(batch.slice(middle))];
      return both(one, other);
    }
    most = Math.min(batchSize, 2 * most);
    tally.folded(incoming, outcomes);
    const outcome: Outcome = { settled: [], letters: [] };
    for (const [n, { delivery, incoming: one }] of batch.entries()) {
      const { id, type } = one.read.event;
      const burial = { reason: 'another event has this id', eventId: id, type };
      if (outcomes[n] === 'conflict') outcome.letters.push({ delivery, burial, stack: null });
      else outcome.settled.push(delivery);
    }
    return outcome;
  };

  /** Those that have failed before go alone: they take no others along. */
  const foldThese = async (readable: readonly Readable[]): Promise<Outcome> => {
    const failedBefore = readable.filter(({ delivery }) => resting.has(nameOf(delivery)));
    const others = readable.filter(({ delivery }) => !resting.has(nameOf(delivery)));
    let outcome = others.length > 0 ? await fold(others) : nothing;
    const until = performance.now() + triedAgainForMs;
    for (const one of failedBefore) {
      outcome = both(outcome, await fold([one]));
      if (performance.now() > until) break;
    }
    return outcome;
  };

  const step = async (): Promise<number> => {
    const deliveries = await source.next(most, isResting);
    const readable: Readable[] = [];
    const unreadable: Unfoldable[] = [];
    const gone: Delivery[] = [];
    for (const delivery of deliveries) {
      if (!delivery.fields) {
        gone.push(delivery);
        continue;
      }
      const read = readDelivery(delivery, delivery.fields, tools);
      if ('incoming' in read) readable.push(read);
      else unreadable.push(read);
    }
    const { settled, letters } = await foldThese(readable);
    const done = [...gone, ...settled, ...(await bury([...unreadable, ...letters]))];
    const rested = done.filter((delivery) => resting.delete(nameOf(delivery)));
    if (rested.length > 0) await forgetAttempts(db, rested);
    if (done.length > 0) await source.settle(done);
    return done.length;
  };

  return { step };
}

function readDelivery(delivery: Delivery, fields: Fields, { rules }: Tools): Readable | Unfoldable {
  let known: Pick<Burial, 'eventId' | 'type'> = { eventId: undefined, type: undefined };
  const unreadable = (reason: string, stack: string | null = null) => ({
    delivery,
    burial: { ...known, reason },
    stack,
  });
  try {
    const envelope = readEnvelope(fields, rules.timeZone, nameUuid);
    if (!envelope.ok) return unreadable(envelope.refusal);
    known = { eventId: envelope.value.id, type: envelope.value.type };
    const read = readEvent(envelope.value, rules);
    if (!read.ok) return unreadable(read.refusal);
    return { delivery, incoming: { source: delivery.source, read: read.value } };
  } catch (error) {
    // A fault of ours. Reading is pure: it would come to the same another time, and hold up all that comes with it.
    return unreadable(reasonOf(error), stackOf(error));
  }
}

/** The classes of SQLSTATE that say that we may not or cannot work here; the event is not at fault. */
const oursByClass = /^(25|28|3D|3F|42)/;

const isOurs = (error: unknown): boolean =>
  error instanceof MasterKeyFault ||
  (error instanceof DatabaseFault &&
    (error.retryable || (error.sqlState !== undefined && oursByClass.test(error.sqlState))));

/** Locks and memory that a batch may need more of than an event does. */
const isTooMuch = (error: unknown): boolean => error instanceof DatabaseFault && error.sqlState === '53200';

/** The limit on a statement. Waiting for a lock ends sooner, see lockForFolding, and says so. */
const isTooSlow = (error: unknown): boolean => error instanceof DatabaseFault && error.sqlState === '57014';

/** Never what Postgres quotes: that stays in the cause. */
const reasonOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);

const stackOf = (error: unknown): string | null => (error instanceof Error ? (error.stack ?? null) : null);
