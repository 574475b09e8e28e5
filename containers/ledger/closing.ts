// Closes each day some time after its end: at the first step after that time, whoever of several comes first, a bounded
// number of loans a step. A ledger that was down for days closes the last of them, which makes up for the others.

import { localTime } from '../../shared/calendar-date.ts';
import type { TransactionalDatabase } from '../../shared/database.ts';
import { closeSome } from '../../shared/ledger/close-day.ts';
import type { Log } from '../../shared/log.ts';
import type { Part } from '../run-container.ts';

const lookMs = 5_000;
const dayMs = 86_400_000;

/** The last day that is over for so many minutes, by the zone's clock. */
export function dayToClose(now: Date, timeZone: string, afterMinutes: number): string {
  const clock = Date.parse(`${localTime(now, timeZone)}Z`);
  return new Date(clock - afterMinutes * 60_000 - dayMs).toISOString().slice(0, 10);
}

export interface ClosingOptions {
  db: TransactionalDatabase;
  timeZone: string;
  closeAtMinutes: number;
  now: () => Date;
  log: Log;
}

export function closing({ db, timeZone, closeAtMinutes, now, log }: ClosingOptions): Part {
  let closed: string | undefined;
  const totals = { loans: 0, accruals: 0, agingsChanged: 0 };
  return {
    async step() {
      const day = dayToClose(now(), timeZone, closeAtMinutes);
      if (day === closed) return 0;
      const some = await closeSome(db, day, now());
      totals.loans += some.loans;
      totals.accruals += some.accruals;
      totals.agingsChanged += some.agingsChanged;
      if (some.done) {
        closed = day;
        log.info('day_closed', { day });
      }
      return some.loans;
    },
    idleMs: lookMs,
    heartbeat: ({ condition }) => ({
      healthy: condition === 'running' || condition === 'draining',
      detail: {
        closing_condition: condition,
        closed_day: closed ?? null,
        loans_closed_total: totals.loans,
        accruals_posted_total: totals.accruals,
        agings_changed_total: totals.agingsChanged,
      },
    }),
  };
}
