// `npm run chaos:ledger -- --seconds 60 --writers 20`: the ledger is killed under load, on servers of its own, and every
// repayment must be in it once afterwards. Exits 1 when one is not.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool } from '../../containers/database.ts';
import { startPostgres } from '../../dev/servers/postgres.ts';
import { startRedis } from '../../dev/servers/redis.ts';
import { migrate, migrateLedger } from '../../drizzle/migrate.ts';
import { runLedgerOutage } from './ledger-outage.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, writers: { type: 'string', default: '20' } },
});
const [seconds, writers] = [Number(values.seconds), Number(values.writers)];
if (!(seconds >= 1 && seconds <= 3_600)) throw new Error('--seconds expects 1 to 3600');
if (!(Number.isInteger(writers) && writers >= 1 && writers <= 1_000))
  throw new Error('--writers expects 1 to 1000');

const folder = mkdtempSync(join(tmpdir(), 'recoup-outage-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);
try {
  await using ending = new AsyncDisposableStack();
  const own = (name: string) => ({
    dataDir: join(folder, name),
    logFile: join(folder, `${name}.log`),
    password: randomBytes(16).toString('hex'),
  });
  const postgres = await startPostgres(own('postgres'));
  ending.defer(() => postgres.stop());
  const redis = await startRedis(own('redis'));
  ending.defer(() => redis.stop());
  const ledgerUrl = Object.assign(new URL(postgres.url), { pathname: '/ledger' }).href;
  await migrate(postgres.url, () => {});
  await migrateLedger(ledgerUrl, () => {});
  const db = openPool({ url: ledgerUrl, min: 0, max: 2, applicationName: 'chaos', timeoutMs: 60_000 });
  ending.defer(() => db.close());
  const env = { DATABASE_URL: postgres.url, LEDGER_DATABASE_URL: ledgerUrl, REDIS_URL: redis.url };
  const result = await runLedgerOutage({ env, db, seconds, writers, say: console.log });
  console.log(`answers: ${JSON.stringify(result.answers)}; the breaker was ${result.states.join(', ')}`);
  console.log(`refused within ${result.refusedWithinMs.toFixed(1)} ms in the middle while it was away`);
  console.log(`found again after ${(result.foundAfterMs / 1_000).toFixed(1)} s`);
  console.log(`repayments answered: ${result.promised}, not there exactly once: ${result.broken.length}`);
  for (const line of result.broken.slice(0, 20)) console.log(`  ${line}`);
  if (result.broken.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
