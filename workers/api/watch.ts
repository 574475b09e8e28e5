// What the streams of an isolate share. Work that comes round is done by whichever stream finds it due, for all of them;
// what it leaves is plain data, because no request may wait for another one's promise.

import type { Database } from '../../shared/database.ts';
import { type ChangeKind, kindsFor } from '../../shared/live/change.ts';
import { Feed } from '../../shared/live/feed.ts';
import { readChanges } from '../../shared/live/read-changes.ts';
import type { Caller } from '../../shared/staff/caller.ts';
import { presentGrants, subjectOf } from '../../shared/staff/present-grants.ts';

/** Whoever has begun it and does not come back, say because its client has gone, holds it up for so long. */
const givenUpAfterMs = 3_000;

class Round {
  #begunAt = Number.NEGATIVE_INFINITY;
  #isRunning = false;
  doneAt = Number.NEGATIVE_INFINITY;

  async whenDue(everyMs: number, now: number, work: () => Promise<void>): Promise<void> {
    const isHeld = this.#isRunning && now - this.#begunAt < givenUpAfterMs;
    if (isHeld || now - this.#begunAt < everyMs) return;
    this.#begunAt = now;
    this.#isRunning = true;
    try {
      await work();
      this.doneAt = Date.now();
    } finally {
      this.#isRunning = false;
    }
  }
}

/** One stream. */
export interface Watcher {
  caller: Caller;
  /** Of what it may be told by now; undefined when its session or key has ended. */
  kinds: ChangeKind[] | undefined;
  /** When that was asked. */
  askedAt: number;
  /** It is counted until then, unless it goes on. */
  until: number;
  hasLeft: boolean;
}

export interface Health {
  status: 'healthy' | 'unhealthy';
  failing: string[];
}

const readEveryMs = 1_000;
/** Older than this, the tip is no moment to go on from. */
const tipKeptMs = 10_000;
const askEveryMs = 2_000;
const healthEveryMs = 10_000;
/** What was asked longer ago than this is not relied on: a session that was ended is told nothing after five seconds. */
const trustedMs = 4_000;
const leaseMs = 5_000;
const streamsOfOne = 10;

export class Watch {
  readonly feed = new Feed();
  #health: Health | undefined;
  readonly #watchers = new Set<Watcher>();
  readonly #reading = new Round();
  readonly #asking = new Round();
  readonly #examining = new Round();

  get health(): Health | undefined {
    return this.#health;
  }

  /** Undefined when the caller has as many streams here as one may have. */
  enter(caller: Caller, now: number): Watcher | undefined {
    for (const watcher of this.#watchers) if (watcher.until <= now) this.#watchers.delete(watcher);
    const theirs = [...this.#watchers].filter((watcher) => watcher.caller.actor === caller.actor);
    if (theirs.length >= streamsOfOne) return undefined;
    const watcher: Watcher = {
      caller,
      kinds: [],
      askedAt: Number.NEGATIVE_INFINITY,
      until: now + leaseMs,
      hasLeft: false,
    };
    this.#watchers.add(watcher);
    return watcher;
  }

  stay(watcher: Watcher, now: number): void {
    watcher.until = now + leaseMs;
    this.#watchers.add(watcher);
  }

  leave(watcher: Watcher): void {
    watcher.hasLeft = true;
    this.#watchers.delete(watcher);
  }

  isTrusted = (watcher: Watcher, now: number): boolean => now - watcher.askedAt < trustedMs;

  /** Everything is known up to a moment that is hardly past. */
  isFresh = (now: number): boolean => now - this.#reading.doneAt < 2 * readEveryMs;

  /** Whoever has just come is asked about at once. Throws DatabaseFault, as the following do. */
  async askWhoMay(db: Database, now: number): Promise<void> {
    const watchers = [...this.#watchers];
    const isNew = watchers.some(({ askedAt }) => askedAt === Number.NEGATIVE_INFINITY);
    await this.#asking.whenDue(isNew ? 0 : askEveryMs, now, async () => {
      const grants = await presentGrants(
        db,
        watchers.map(({ caller }) => caller),
      );
      for (const watcher of watchers) {
        const present = grants.get(subjectOf(watcher.caller));
        // A token may be for less than its key.
        watcher.kinds =
          present && kindsFor(present).filter((kind) => kindsFor(watcher.caller.grants).includes(kind));
        watcher.askedAt = now;
      }
    });
  }

  async readNews(db: Database, now: number): Promise<void> {
    await this.#reading.whenDue(readEveryMs, now, async () => {
      const before = this.feed.tip;
      const tip = now - this.#reading.doneAt < tipKeptMs ? before : undefined;
      const { upTo, changes } = await readChanges(db, tip);
      // It took so long that another one has read meanwhile.
      if (this.feed.tip !== before) return;
      if (tip && changes) this.feed.add(upTo, changes);
      else this.feed.begin(upTo);
    });
  }

  async examine(now: number, examined: () => Promise<Health>): Promise<void> {
    await this.#examining.whenDue(healthEveryMs, now, async () => {
      this.#health = await examined();
    });
  }
}
