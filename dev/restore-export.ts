// `npm run restore:export -- <folder>`: verifies an export of payments and puts its rows back into the table, all or
// none; payments that are there stay as they are. In the database that DATABASE_URL names (as its owner), else in the
// one that `npm start` runs here.

import { openPool } from '../containers/database.ts';
import { restoreExport } from '../containers/ingest/restore-export.ts';
import { askedBy } from '../shared/audit/asker.ts';
import { readRunning } from './running.ts';
import { loadEnvFile } from './stack/settings.ts';

const statementTimeoutMs = 600_000;

const [folder, ...more] = process.argv.slice(2);
try {
  if (folder === undefined || more.length > 0)
    throw new Error('Usage: npm run restore:export -- <folder with manifest.json>');
  loadEnvFile();
  const db = openPool({
    url: process.env.DATABASE_URL || readRunning().databaseUrl,
    min: 0,
    max: 1,
    applicationName: 'recoup-restore',
    timeoutMs: statementTimeoutMs,
  });
  try {
    const { name, restored, wereThere } = await restoreExport(
      askedBy(db, { actor: 'job:restore-export' }),
      folder,
    );
    console.log(`${name}: ${restored} payments put back, ${wereThere} were there`);
  } finally {
    await db.close();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
