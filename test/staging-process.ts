// For tests that kill: takes what is staged in DATABASE_URL in batches of BATCH rows until the process ends.

import { openPool } from '../containers/database.ts';
import { staging } from '../containers/ingest/staging.ts';

const [url = '', batchSize = '10'] = process.argv.slice(2);
const db = openPool({ url, min: 0, max: 4, applicationName: 'victim', timeoutMs: 20_000 });
const { step } = staging({
  db,
  instance: `victim-${process.pid}`,
  business: { timeZone: 'UTC', currency: 'EUR' },
  enabled: true,
  batchSize: Number(batchSize),
  workers: 2,
  maxRetries: 3,
});
for (;;) if ((await step()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
