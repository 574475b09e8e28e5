// Reads what the memory of recorded payments starts with, under a role that may read nothing else.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../shared/log.ts';
import type { RecentPayment } from '../../shared/payments/payment.ts';
import { recentPayments } from '../../shared/payments/recent-payments.ts';
import { openPool } from '../database.ts';
import { faultLog } from '../fault-log.ts';
import { backoffMs } from '../loop.ts';

const backoff = { minMs: 200, maxMs: 5_000 };

/** The payments to remember from the start. Waits for a database that is away. */
export async function warm(
  { databaseUrl, size }: { databaseUrl: string; size: number },
  signal: AbortSignal,
  log: Log,
): Promise<RecentPayment[]> {
  if (size === 0) return [];
  const db = openPool({
    url: databaseUrl,
    min: 0,
    max: 1,
    timeoutMs: 10_000,
    applicationName: 'edge warming',
  });
  const faults = faultLog(log, 'edge_warming');
  try {
    while (!signal.aborted) {
      try {
        const recent = await recentPayments(db, size);
        faults.succeeded();
        return recent;
      } catch (fault) {
        faults.failed(fault);
        await sleep(backoffMs(faults.failures, backoff, Math.random()), undefined, { signal }).catch(
          () => {},
        );
      }
    }
    return [];
  } finally {
    await db.close();
  }
}
