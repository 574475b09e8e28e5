// Events from the table `servicing.inbox`: what came over HTTP, and dead letters that are replayed. A reader has a row
// on loan; when the loan has run out without being settled, the row is anybody's again.

import type { Database } from '../../shared/database.ts';
import { claimEvents } from '../../shared/stream/claim-events.ts';
import { readInboxState } from '../../shared/stream/inbox-state.ts';
import { settleEvents } from '../../shared/stream/settle-events.ts';
import type { Delivery, Source } from './source.ts';

const source = 'inbox';

export function openInboxSource(db: Database, claimAfterMs: number): Source {
  /** What is on loan to us, in the order in which it came, and until when: a bit shorter than the database has it. */
  const ours = new Map<string, { delivery: Delivery; until: number }>();

  return {
    async next(limit, held) {
      const now = performance.now();
      for (const [id, { until }] of ours) if (until <= now) ours.delete(id);
      const due = [...ours.values()].map(({ delivery }) => delivery).filter((delivery) => !held(delivery));
      if (due.length > 0) return due.slice(0, limit);
      const claimed = (await claimEvents(db, limit, claimAfterMs)).map(
        ({ position, fields }): Delivery => ({ source, entryId: position, fields }),
      );
      for (const delivery of claimed) ours.set(delivery.entryId, { delivery, until: now + claimAfterMs });
      return claimed.filter((delivery) => !held(delivery));
    },

    async settle(deliveries) {
      const ids = deliveries.map(({ entryId }) => entryId);
      await settleEvents(db, ids);
      for (const id of ids) ours.delete(id);
    },

    async state() {
      const { waiting, claimed, oldestClaimedSeconds } = await readInboxState(db);
      const oldestPendingSeconds = Math.round(oldestClaimedSeconds * 10) / 10;
      return [{ source, waiting, pending: claimed, oldestPendingSeconds }];
    },

    // What is settled is gone, and a reader has no name here.
    tend: async () => {},
    close: async () => {},
  };
}
