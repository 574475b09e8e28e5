// `npm run post-again -- --from 2026-11-01 --to 2026-11-30`: has payments of those dates posted in the ledger that have no
// posting, with their reversals: those recorded before payments went there. In the database that DATABASE_URL names, else in
// the one that `npm start` runs here. To repeat it changes nothing.

import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { note } from '../shared/audit/note.ts';
import { parseInstant } from '../shared/calendar-date.ts';
import { postAgain } from '../shared/posting/post-again.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run post-again -- --from <YYYY-MM-DD> --to <YYYY-MM-DD>   by payment date, both included

  --dry-run   counts, and posts nothing`;

const actor = 'job:post-again';
const atOnce = 500;
const timeoutMs = 120_000;
const dayMs = 86_400_000;

function readArguments(timeZone: string) {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const day = (name: 'from' | 'to', later = 0) => {
    const text = values[name] ?? '';
    const given = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
    const start = Number.isNaN(given)
      ? undefined
      : parseInstant(new Date(given + later).toISOString().slice(0, 10), timeZone);
    if (!start) throw new Error(`--${name} expects YYYY-MM-DD\n\n${usage}`);
    return start;
  };
  const range = { from: day('from'), until: day('to', dayMs) };
  if (range.until <= range.from) throw new Error(`--to must not be before --from\n\n${usage}`);
  return { range, dryRun: values['dry-run'] };
}

async function run(): Promise<void> {
  loadEnvFile();
  const { range, dryRun } = readArguments(process.env.BUSINESS_TIME_ZONE || 'UTC');
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({ url, min: 0, max: 1, applicationName: 'recoup-post-again', timeoutMs });
  let payments = 0;
  const audit = async (event: 'started' | 'done') => {
    const details = { from: range.from.toISOString(), until: range.until.toISOString(), payments };
    if (!dryRun) await note(askedBy(db, { actor }), { action: `post_again.${event}`, details });
  };
  try {
    await audit('started');
    for await (payments of postAgain(db, range, { limit: atOnce, dryRun })) say(`${payments} payments`);
    await audit('done');
    say(dryRun ? 'a dry run: nothing is posted' : 'all of them are told to the ledger');
    say('Payments of months that retention has exported are not in the database and were left out.');
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
