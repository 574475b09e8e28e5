// Erases a person: the keys of all that is sealed about them go, and what is live becomes what the facts still give,
// which the law keeps: that there is such a customer, their loans, amounts and dates. Repeating it changes nothing, and
// completes what was cut off. What comes later under their name leaves nothing personal (fold-batch.ts sees to that).

import { type Database, DatabaseFault, type TransactionalDatabase } from '../database.ts';
import { eraseNotes } from '../notes/erase-notes.ts';
import { ok, type Result, refused } from '../result.ts';
import { readEnvelope } from '../stream/envelope.ts';
import { type Names, namesErased } from './erased-names.ts';
import type { Erased, ErasureRequest } from './erasure.ts';
import {
  cifsOf,
  countEvents,
  deleteWaiting,
  eraseSubjects,
  forgetHashesOf,
  forgetNameWords,
  lettersAmong,
  lockForErasing,
  relatedTo,
  saveErasure,
  touchedBy,
  whoIs,
} from './erasure-store.ts';
import type { AggregateKey } from './event-type.ts';
import { foldBatch, type Incoming, type Tools } from './fold-batch.ts';
import { kindsOf, projectionGroups } from './projections.ts';
import { readEvent } from './read-event.ts';
import { rebuildAggregates } from './rebuild.ts';
import { splitKey } from './store.ts';

/** With more events than this, rows are made anew in steps after the keys are gone: folds must not wait so long. */
const eventsAtOnce = 5_000;
const aggregatesAtOnce = 200;

/**
 * When it answers, all of it is done. Killed before, either nothing has happened, or the keys are gone and the same
 * request again does the rest. Refuses a customer nobody has ever told about. Throws DatabaseFault.
 */
export async function eraseCustomer(
  db: TransactionalDatabase,
  request: ErasureRequest,
  tools: Tools,
): Promise<Result<Erased, 'unknown_customer'>> {
  const kinds = kindsOf(projectionGroups);
  const begun = await db.transaction(async (tx) => {
    await lockForErasing(tx);
    const customers = await whoIs(tx, request.customerId);
    if (customers.length === 0) return undefined;
    const { subjects, shared, names } = await subjectsOf(tx, customers);
    const newlyErased = await eraseSubjects(tx, subjects);
    const waiting = await takeWaiting(tx, names, tools);
    const deadLetters = await removeLetters(tx, names);
    const notes = await eraseNotes(tx, customers);
    await forgetHashesOf(tx, subjects);
    const events = await countEvents(tx, subjects);
    const touched = await touchedBy(tx, subjects, kinds);
    const isSmall = events <= eventsAtOnce;
    if (isSmall) await rebuildInSteps((step) => step(tx), touched, tools);
    const erased: Erased = {
      customers,
      subjects: newlyErased,
      events,
      aggregates: touched.length,
      deadLetters,
      notes,
      waiting,
      shared,
    };
    if (newlyErased + waiting + deadLetters + notes > 0) await saveErasure(tx, request, erased);
    return { erased, left: isSmall ? [] : touched };
  });
  if (!begun) return refused('unknown_customer');
  await rebuildInSteps((step) => db.transaction(step), begun.left, tools);
  await db.transaction(async (tx) => {
    await lockForErasing(tx);
    await forgetNameWords(tx);
  });
  return ok(begun.erased);
}

async function rebuildInSteps(
  inTransaction: (step: (tx: Database) => Promise<unknown>) => Promise<unknown>,
  keys: readonly AggregateKey[],
  tools: Tools,
): Promise<void> {
  for (let i = 0; i < keys.length; i += aggregatesAtOnce) {
    const some = keys.slice(i, i + aggregatesAtOnce);
    await inTransaction((tx) => rebuildAggregates(tx, some, tools));
  }
}

/** Whose keys go: the customers', and those of what is theirs alone. */
async function subjectsOf(tx: Database, customers: readonly string[]) {
  const { own, shared } = await relatedTo(tx, customers);
  const idsOf = (kind: string) => own.map(splitKey).flatMap(([its, id]) => (its === kind ? [id] : []));
  const names: Names = {
    customers: new Set(customers),
    conversations: new Set(idsOf('conversation')),
    accounts: new Set(idsOf('account')),
  };
  const cifs = await cifsOf(tx, customers);
  const subjects = [...customers.map((id) => `customer:${id}`), ...own, ...cifs.map((cif) => `cif:${cif}`)];
  return { subjects: [...new Set(subjects)].sort(), shared, names };
}

/** An event that was accepted is never thrown away: its facts are folded, as of one that comes later. */
async function takeWaiting(tx: Database, names: Names, { vault, rules }: Tools): Promise<number> {
  let taken = 0;
  for (const { key, source, fields } of await lettersAmong(tx, 'inbox', allOf(names))) {
    if (!namesErased(fields, names)) continue;
    taken += 1;
    const envelope = readEnvelope(fields, rules.timeZone);
    const read = envelope.ok ? readEvent(envelope.value, rules) : envelope;
    if (read.ok) await foldIfItCan(tx, { source, read: read.value }, { vault, rules });
    await deleteWaiting(tx, 'inbox', [key]);
  }
  return taken;
}

/** One that faults for a reason of its own must not keep a person from being erased. */
async function foldIfItCan(tx: Database, incoming: Incoming, tools: Tools): Promise<void> {
  await tx.query('savepoint before_fold');
  try {
    await foldBatch(tx, [incoming], tools);
  } catch (error) {
    if (error instanceof DatabaseFault && error.retryable) throw error;
    await tx.query('rollback to savepoint before_fold');
  }
}

/** What could not be read or folded has no facts to keep. */
async function removeLetters(tx: Database, names: Names): Promise<number> {
  const found = await lettersAmong(tx, 'dead_letters', allOf(names));
  const keys = found.filter(({ fields }) => namesErased(fields, names)).map(({ key }) => key);
  if (keys.length > 0) await deleteWaiting(tx, 'dead_letters', keys);
  return keys.length;
}

const allOf = ({ customers, conversations, accounts }: Names): string[] => [
  ...customers,
  ...conversations,
  ...accounts,
];
