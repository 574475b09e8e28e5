import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { currencies, currencyExponent } from './money.ts';

let database: TestDatabase;
let db: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 10_000 });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

test('the database gives every currency the same number of decimals', async () => {
  const rows = await db.query(
    'select code, payment_service.currency_exponent(code) as exponent from unnest($1::text[]) as code',
    [currencies],
  );
  expect(rows).toEqual(currencies.map((code) => ({ code, exponent: currencyExponent(code) })));
});

// Were a currency of the function missing in code, amounts stored as it would be read with other decimals.
test('every currency that the database treats specially is one that the code knows', async () => {
  const [row] = await db.query<{ source: string }>(
    `select prosrc as source from pg_proc where oid = 'payment_service.currency_exponent'::regproc`,
  );
  const special = row?.source.match(/\b[A-Z]{3}\b/g) ?? [];
  expect(special.length).toBeGreaterThan(20);
  expect(special.filter((code) => currencyExponent(code) === undefined)).toEqual([]);
});
