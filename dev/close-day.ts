// `npm run close-day -- --date 2026-11-28`: closes a day that is over, for all loans that are not closed for it yet. The
// ledger does so by itself; this is for when it did not, and may be run beside it, and again.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { calendarDate, isTimeZone } from '../shared/calendar-date.ts';
import { closeDay } from '../shared/ledger/close-day.ts';
import { isDay } from '../shared/ledger/day.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run close-day -- --date YYYY-MM-DD`;
const timeoutMs = 60_000;

async function run(): Promise<void> {
  const { values } = parseArgs({ options: { date: { type: 'string' } } });
  loadEnvFile();
  const zone = process.env.BUSINESS_TIME_ZONE || 'UTC';
  if (!isTimeZone(zone)) throw new Error('BUSINESS_TIME_ZONE is no IANA time zone');
  const day = values.date;
  if (day === undefined || !isDay(day)) throw new Error(usage);
  if (day >= calendarDate(new Date(), zone)) throw new Error(`${day} is not over yet in ${zone}`);
  const url = process.env.LEDGER_DATABASE_URL || readRunning().ledgerDatabaseUrl;
  if (!url) throw new Error('no ledger of ours runs here: set LEDGER_DATABASE_URL');
  const db = openPool({ url, min: 0, max: 2, applicationName: 'recoup-close-day', timeoutMs });
  try {
    const { loans, accruals, agingsChanged } = await closeDay(db, day, () => new Date());
    say(`${day}: ${loans} loans closed, interest posted on ${accruals}, aging changed of ${agingsChanged}`);
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
