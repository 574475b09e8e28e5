// The close of a day among so many loans, in a database of their own: the first one, which finds a third of them late and
// accrues on a fifth, and the one of the day after, which is what every day costs.

import { openPool } from '../containers/database.ts';
import { migrateLedger } from '../drizzle/migrate.ts';
import { closeDay } from '../shared/ledger/close-day.ts';
import { cpuSeconds } from './cpu.ts';
import { openLoans } from './ledger-loans.ts';

export async function closeDays(ledgerUrl: string, count: number, postgres: number) {
  await migrateLedger(ledgerUrl, () => {});
  const db = openPool({ url: ledgerUrl, min: 0, max: 2, applicationName: 'bench', timeoutMs: 600_000 });
  try {
    const fifth = Math.floor(count / 5);
    const kinds = [
      { prefix: 'LATE', count: fifth * 2, openedOn: '2026-09-01', interestRateBps: 0 },
      { prefix: 'RATE', count: fifth, openedOn: '2026-10-20', interestRateBps: 1_250 },
      { prefix: 'NEW', count: count - fifth * 3, openedOn: '2026-10-20', interestRateBps: 0 },
    ];
    for (const kind of kinds) await openLoans(db, kind);
    const rows = [];
    for (const day of ['2026-11-01', '2026-11-02']) {
      const before = cpuSeconds({ postgres, here: process.pid });
      const startedAt = performance.now();
      const { loans, accruals, agingsChanged } = await closeDay(db, day, () => new Date());
      const seconds = (performance.now() - startedAt) / 1000;
      const after = cpuSeconds({ postgres, here: process.pid });
      const cpu = ['postgres', 'here'].reduce(
        (sum, name) => sum + (after[name] ?? 0) - (before[name] ?? 0),
        0,
      );
      if (loans !== count) throw new Error(`${loans} of ${count} loans were closed`);
      rows.push({
        loans,
        close: day === '2026-11-01' ? 'first' : 'a day later',
        'loans/s': Math.round(loans / seconds),
        'loans/s per core': Math.round(loans / cpu),
        accruals,
        'agings that changed': agingsChanged,
      });
    }
    return rows;
  } finally {
    await db.close();
  }
}
