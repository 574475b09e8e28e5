// `npm run load -- payments.csv`: stages a CSV file of payments, in the database that DATABASE_URL names, else in the one
// that `npm start` runs here. Bad lines go to standard error with their numbers; the exit code is then 1.

import { createReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool } from '../containers/database.ts';
import { readStagingSettings } from '../containers/ingest/env.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { note } from '../shared/audit/note.ts';
import { FileFault, type Loaded, loadFile } from './load-file.ts';
import { say } from './progress.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const usage = `Usage: npm run load -- <file.csv> [--delimiter ';'] [--dry-run]

  The first line names the columns, in any order:
    reference_number, loan_account_number, cif, amount, payment_date
    and if you like: payment_channel, metadata (a JSON object), currency
  --delimiter  one character, or tab; a comma unless told
  --dry-run    reads and judges every line, stages none`;

function readArguments() {
  const { values, positionals } = parseArgs({
    options: {
      delimiter: { type: 'string', default: ',' },
      'dry-run': { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const [path, ...others] = positionals;
  if (path === undefined || others.length > 0) throw new Error(`expected one file\n\n${usage}`);
  const delimiter = values.delimiter === 'tab' ? '\t' : values.delimiter;
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) {
    throw new Error(`--delimiter expects one character, or tab\n\n${usage}`);
  }
  return { path, delimiter, dryRun: values['dry-run'] };
}

/** On a terminal a line that is written over; on a pipe a line every ten per cent. */
function progressOf(bytes: number, read: () => number) {
  const startedAt = performance.now();
  let told = 0;
  return ({ staged, bad }: Loaded) => {
    const share = bytes === 0 ? 1 : read() / bytes;
    const rate = Math.round(staged / ((performance.now() - startedAt) / 1000));
    const line = `${Math.floor(share * 100)} %: ${staged} rows, ${bad} bad lines, ${rate}/s`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line} `);
    else if (share - told >= 0.1) {
      told = share;
      say(line);
    }
  };
}

try {
  const { path, delimiter, dryRun } = readArguments();
  loadEnvFile();
  const { business } = readStagingSettings(process.env);
  const { size } = statSync(path);
  const input = createReadStream(path);
  const url = dryRun ? undefined : process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = url && openPool({ url, min: 0, max: 1, applicationName: 'recoup-load', timeoutMs: 60_000 });
  const noted = async (event: 'started' | 'done', counts: object) => {
    if (!db) return;
    const subject = { kind: 'file', id: basename(path) };
    await note(askedBy(db, { actor: 'job:load' }), {
      action: `load.${event}`,
      subject,
      details: { ...counts },
    });
  };
  try {
    await noted('started', { bytes: size });
    const { staged, bad, ignored } = await loadFile({
      input,
      delimiter,
      business,
      db: db || undefined,
      bad: (line, reason) => console.error(`line ${line}: ${reason}`),
      progress: progressOf(size, () => input.bytesRead),
    });
    await noted('done', { staged, bad });
    if (process.stdout.isTTY) process.stdout.write('\n');
    if (ignored.length > 0) say(`columns that mean nothing here: ${ignored.join(', ')}`);
    say(`${dryRun ? 'would stage' : 'staged'} ${staged} rows; bad lines: ${bad}`);
    if (bad > 0) process.exitCode = 1;
  } finally {
    if (db) await db.close();
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(error instanceof FileFault ? `nothing was staged: ${message}` : message);
  process.exitCode = 1;
}
