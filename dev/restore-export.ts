// `npm run restore:export -- <folder>`: verifies an export of payments and puts its rows back into the table, all or
// none; payments that are there stay as they are. In the database that DATABASE_URL names (as its owner), else in the
// one that `npm start` runs here.

import { setTimeout as sleep } from 'node:timers/promises';
import { openPool } from '../containers/database.ts';
import { readExport, verifyExport } from '../containers/ingest/export-files.ts';
import { missingColumns, restoreLines } from '../shared/partitions/restore-lines.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const statementTimeoutMs = 600_000;

async function restore(folder: string): Promise<string> {
  const verified = await verifyExport(folder);
  if (!verified.ok) throw new Error(`the export is not whole: ${verified.refusal.join('; ')}`);
  const manifest = verified.value;
  loadEnvFile();
  const url = process.env.DATABASE_URL || readRunning().databaseUrl;
  const db = openPool({
    url,
    min: 0,
    max: 1,
    applicationName: 'recoup-restore',
    timeoutMs: statementTimeoutMs,
  });
  try {
    const missing = await missingColumns(db, manifest);
    if (missing.length > 0) throw new Error(`the table has no column ${missing.join(', ')}`);
    const restored = await restoreLines(db, manifest, readExport(folder, manifest), (ms) => sleep(ms));
    return `${manifest.name}: ${restored} payments put back, ${manifest.rows - restored} were there`;
  } finally {
    await db.close();
  }
}

const [folder, ...more] = process.argv.slice(2);
try {
  if (folder === undefined || more.length > 0)
    throw new Error('Usage: npm run restore:export -- <folder with manifest.json>');
  console.log(await restore(folder));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
