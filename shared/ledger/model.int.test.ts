// Random commands, repetitions and keys used twice, from two pools at once, held to a simple model. A seed that fails is
// played again by `npm run model:ledger -- --seed N --commands M`.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestLedger, type TestDatabase } from '../../test/database.ts';
import { LedgerModel, type ModelReport } from '../../test/ledger/model.ts';

const seeds = [1, 2, 3];
const commands = 400;

let database: TestDatabase;
let pools: Pool[];
beforeAll(async () => {
  database = await createTestLedger();
  const url = database.urlFor('recoup_ledger');
  pools = [1, 2].map(() => openPool({ url, min: 0, max: 4, applicationName: 'test', timeoutMs: 20_000 }));
});
afterAll(async () => {
  for (const pool of pools) await pool.close();
  await database.drop();
});

const reports: ModelReport[] = [];

test.each(seeds)(
  'whatever is commanded, however often and by however many, the ledger is as the model has it: seed %i',
  async (seed) => {
    reports.push(await new LedgerModel(pools, seed, 4).run(commands));
  },
  60_000,
);

test('the seeds have posted, repeated, refused and accrued', () => {
  for (const what of ['posted', 'replayed', 'refused', 'keysReused', 'accruals'] as const)
    expect(
      reports.reduce((sum, report) => sum + report[what], 0),
      what,
    ).toBeGreaterThan(3);
});
