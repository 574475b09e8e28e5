// What a projector has done since it started, over all of its lanes, and how fast: what its heartbeat tells.

import type { Folded, Incoming } from '../../shared/servicing/fold-batch.ts';

/** Types that nobody handles are counted by name, up to so many names; who sends more of them is told as `other`. */
const namesKept = 20;
const rateOverMs = 30_000;

export type Tally = ReturnType<typeof createTally>;

export function createTally(now: () => number = () => performance.now()) {
  const totals = { folded: 0, duplicate: 0, conflict: 0, buried: 0 };
  const unhandled = new Map<string, number>();
  const recent: Array<{ at: number; events: number }> = [];

  const count = (type: string) => {
    const name = unhandled.has(type) || unhandled.size < namesKept ? type : 'other';
    unhandled.set(name, (unhandled.get(name) ?? 0) + 1);
  };

  return {
    folded(batch: readonly Incoming[], outcomes: readonly Folded[]): void {
      for (const [i, outcome] of outcomes.entries()) {
        totals[outcome] += 1;
        const read = batch[i]?.read;
        if (outcome === 'folded' && read && !read.handled) count(read.event.type);
      }
      recent.push({ at: now(), events: batch.length });
    },
    buried(letters: number): void {
      totals.buried += letters;
    },
    /** Events a second of the last half minute. */
    rate(): number {
      const since = now() - rateOverMs;
      while (recent[0] && recent[0].at < since) recent.shift();
      const events = recent.reduce((sum, one) => sum + one.events, 0);
      return Math.round(events / (rateOverMs / 1_000));
    },
    /** Under their names in a heartbeat. */
    totals: () => ({
      events_folded_total: totals.folded,
      events_duplicates_total: totals.duplicate,
      events_conflicts_total: totals.conflict,
      events_buried_total: totals.buried,
    }),
    unhandled: () => Object.fromEntries(unhandled),
  };
}
