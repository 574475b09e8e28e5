// Histories of servicing events, as the systems around a lender would send them: many customers' lives, told at once. Pure:
// the same arguments give the same entries, byte for byte, and what is in memory grows with the customers alone.

import { currencyExponent } from '../../shared/money.ts';
import { seeded } from '../../test/seeded.ts';
import { disordered } from './disorder.ts';
import { scramble } from './ids.ts';
import { beginLife, day } from './life.ts';
import type { Entry, Written } from './senders.ts';
import { questions, story } from './story.ts';

export interface HistoryOptions {
  /** How many lives there are; each has one event at least. */
  customers: number;
  /** How many distinct events there are in all, at least one a customer. */
  events: number;
  /** A whole number. Ids are others with another seed; account numbers and CIFs are not. */
  seed: number;
  /** Calendar dates; nothing happens before the first day or after the last one, in UTC. */
  from: string;
  to: string;
  /** The share of events that come a second time, 0 to 1. */
  duplicates?: number;
  /** The share of events that come late, 0 to 1. */
  disorder?: number;
  currency?: string;
  /** Of the times that are written without an offset. */
  timeZone?: string;
}

/** Why there are no such histories; may be shown to whoever asked. */
export class HistoryFault extends Error {
  override readonly name = 'HistoryFault';
}

/**
 * Exactly `events` distinct events, and the repetitions after that. Customers are born one after the other over nine
 * tenths of the time, and whoever is there from the beginning has nine times the events of whoever comes last, so that
 * about as much happens to each of them in a month; every life ends with its last event, in the middle of whatever is
 * going on, as a history that is read today does. Without duplicates and disorder the events are in the order of
 * their times; the few posts without a time stand where they happened. Throws HistoryFault.
 */
export function histories(options: HistoryOptions): Generator<Entry, void> {
  const { seed, duplicates = 0, disorder = 0 } = options;
  const told = entries(merged(livesOf(options)));
  if (duplicates === 0 && disorder === 0) return told;
  return disordered(told, { chance: seeded(scramble(seed ^ 0x2545f491)), duplicates, disorder });
}

interface LifeToCome {
  /** In seconds since 1970. */
  birth: number;
  begin(): Generator<Written, void>;
}

/** How many of the events the first of `customers` customers have together, when `among` is how many there are of both. */
function share(events: number, first: number, customers: number): number {
  const u = first / customers;
  return Math.round((events - customers) * (1.8 * u - 0.8 * u * u)) + first;
}

function livesOf(options: HistoryOptions): Generator<LifeToCome, void> {
  const { customers, events, seed, currency = 'EUR', timeZone = 'UTC' } = options;
  const start = Date.parse(`${options.from}T00:00:00Z`) / 1000;
  const end = Date.parse(`${options.to}T00:00:00Z`) / 1000 + day - 1;
  const refuse = (reason: string) => {
    throw new HistoryFault(reason);
  };
  if (!Number.isSafeInteger(seed)) refuse('a seed is a whole number');
  if (!Number.isSafeInteger(customers) || customers < 1) refuse('there must be a customer');
  if (!Number.isSafeInteger(events) || events < customers) refuse('there must be an event for each customer');
  if (!(start < end)) refuse('the first day must be a date, and the last one not before it');
  if (currencyExponent(currency) === undefined) refuse(`${currency} is no currency`);
  // A life has a second for each event, and most of its time for what is between them.
  const most = Math.floor((end - start) / 20);
  if (events / customers > most) refuse(`in that time there may be at most ${most} events for each customer`);

  return (function* () {
    for (let customer = 0; customer < customers; customer++) {
      const jitter = scramble(customer ^ scramble(seed + 2)) / 2 ** 32;
      const birth = start + Math.floor(((end - start) * 0.9 * (customer + jitter)) / customers);
      const quota = share(events, customer + 1, customers) - share(events, customer, customers);
      const begin = () => livedFor(beginLife({ seed, customer, currency, timeZone }, { birth, end, quota }));
      yield { birth, begin };
    }
  })();
}

/** The story until its events are used up or its time is; then what still has to be told, before the end. */
function* livedFor(life: ReturnType<typeof beginLife>): Generator<Written, void> {
  let then = life.now();
  for (const written of story(life)) {
    if (!life.isInTime()) {
      life.takeBack(then);
      break;
    }
    yield written;
    if (life.left() === 0) return;
    then = life.now();
  }
  for (const written of questions(life)) {
    yield written;
    if (life.left() === 0) return;
  }
}

interface Alive {
  /** What it tells next. */
  next: Written;
  rest: Generator<Written, void>;
  number: number;
}

const isBefore = (a: Alive, b: Alive): boolean =>
  a.next.at < b.next.at || (a.next.at === b.next.at && a.number < b.number);

/** All lives by time. A life begins when its birth comes and is forgotten after its last event. */
function* merged(lives: Generator<LifeToCome, void>): Generator<Written, void> {
  /** A binary heap: nobody is before the one at (i - 1) >> 1. */
  const alive: Alive[] = [];
  const sink = (one: Alive) => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= alive.length) break;
      if (child + 1 < alive.length && isBefore(alive[child + 1]!, alive[child]!)) child++;
      if (isBefore(one, alive[child]!)) break;
      alive[at] = alive[child]!;
      at = child;
    }
    alive[at] = one;
  };
  const add = (one: Alive) => {
    let at = alive.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(alive[parent]!, one)) break;
      alive[at] = alive[parent]!;
      at = parent;
    }
    alive[at] = one;
  };

  let number = 0;
  let coming = lives.next();
  for (;;) {
    while (!coming.done && (alive.length === 0 || coming.value.birth * 1_000_000 <= alive[0]!.next.at)) {
      const rest = coming.value.begin();
      const first = rest.next();
      if (!first.done) add({ next: first.value, rest, number: number++ });
      coming = lives.next();
    }
    const first = alive[0];
    if (!first) return;
    yield first.next;
    const next = first.rest.next();
    if (!next.done) {
      first.next = next.value;
      sink(first);
    } else {
      const last = alive.pop()!;
      if (last !== first) sink(last);
    }
  }
}

function* entries(written: Iterable<Written>): Generator<Entry, void> {
  for (const { entry } of written) yield entry;
}
