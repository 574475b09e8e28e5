// Reads what the memory of recorded payments starts with, under a role that may read nothing else. A cold memory costs
// round trips and decides nothing, so an edge that starts during an outage does not wait for ever: it has payments to
// accept.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../shared/database.ts';
import type { Log } from '../../shared/log.ts';
import type { RecentPayment } from '../../shared/payments/payment.ts';
import { recentPayments } from '../../shared/payments/recent-payments.ts';
import { faultLog } from '../fault-log.ts';
import { backoffMs } from '../loop.ts';

const backoff = { minMs: 200, maxMs: 2_000 };
const patienceMs = 10_000;

/** The payments to remember from the start; none when the database is away for longer than our patience. */
export async function warm(
  db: Database,
  size: number,
  signal: AbortSignal,
  log: Log,
): Promise<RecentPayment[]> {
  if (size === 0) return [];
  const faults = faultLog(log, 'edge_warming');
  const until = performance.now() + patienceMs;
  while (!signal.aborted && performance.now() < until) {
    try {
      const recent = await recentPayments(db, size);
      faults.succeeded();
      return recent;
    } catch (fault) {
      faults.failed(fault);
      const pauseMs = backoffMs(faults.failures, backoff, Math.random());
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
  return [];
}
