// `npm run model:ledger -- --seed 1 --commands 100000`: as many random commands as told, on a Postgres of its own, held
// to a simple model. Says the seed with which it does not hold and exits 1.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPool } from '../../containers/database.ts';
import { startPostgres } from '../../dev/servers/postgres.ts';
import { migrateLedger } from '../../drizzle/migrate.ts';
import { LedgerModel } from './model.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    commands: { type: 'string', default: '20000' },
    loans: { type: 'string', default: '5' },
  },
});
const [seed, commands, loans] = [values.seed, values.commands, values.loans].map(Number) as [
  number,
  number,
  number,
];
if (![seed, commands, loans].every((number) => Number.isInteger(number) && number >= 1))
  throw new Error('--seed, --commands and --loans expect whole numbers from 1');

/** So that a seed that does not hold is found soon after it began. */
const commandsOfSeed = 2_000;

const folder = mkdtempSync(join(tmpdir(), 'recoup-model-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);
try {
  await using ending = new AsyncDisposableStack();
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    logFile: join(folder, 'postgres.log'),
    password: randomBytes(16).toString('hex'),
    fast: true,
  });
  ending.defer(() => postgres.stop());
  await migrateLedger(postgres.url, () => {});
  const pools = [1, 2].map(() =>
    openPool({ url: postgres.url, min: 0, max: 4, applicationName: 'model', timeoutMs: 30_000 }),
  );
  for (const pool of pools) ending.defer(() => pool.close());

  for (let done = 0; done < commands; done += commandsOfSeed) {
    const current = seed + done / commandsOfSeed;
    try {
      const some = Math.min(commandsOfSeed, commands - done);
      const report = await new LedgerModel(pools, current, loans).run(some);
      console.log(`seed ${current}: ${JSON.stringify(report)}`);
    } catch (error) {
      console.error(`seed ${current} does not hold: ${(error as Error).message}`);
      process.exitCode = 1;
      break;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
