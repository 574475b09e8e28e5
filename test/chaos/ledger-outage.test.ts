import { expect, onTestFinished, test } from 'vitest';
import { openPool } from '../../containers/database.ts';
import { createTestDatabase, createTestLedger, createTestRedis } from '../database.ts';
import { runLedgerOutage } from './ledger-outage.ts';

test('the ledger goes away under load: callers are told at once, it is found again, and everything is posted once', async () => {
  const [main, ledger] = await Promise.all([createTestDatabase(), createTestLedger()]);
  const db = openPool({ url: ledger.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  onTestFinished(async () => {
    await db.close();
    await Promise.all([main.drop(), ledger.drop()]);
  });
  const result = await runLedgerOutage({
    env: {
      DATABASE_URL: main.urlFor('recoup_ledger'),
      LEDGER_DATABASE_URL: ledger.urlFor('recoup_ledger'),
      REDIS_URL: (await createTestRedis()).url,
    },
    ...{ db, seconds: 2, writers: 20, say: () => {} },
  });
  expect(result.broken).toEqual([]);
  expect(result.states).toEqual(['closed', 'half_open', 'open']);
  expect(result.answers.unavailable).toBeGreaterThan(20);
  expect(result.promised).toBeGreaterThan(20);
  expect(result.refusedWithinMs).toBeLessThan(50);
}, 120_000);
