import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { parseExactJson } from './exact-json.ts';

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

/** As jsonb, written out again. Fails where Postgres refuses the text. */
async function kept(text: string): Promise<string> {
  const [row] = await db.query<{ text: string }>('select $1::jsonb::text as text', [text]);
  return row?.text as string;
}

/** Texts that are JSON, or nearly so, where Postgres and JavaScript might disagree. */
const number = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9]\d{0,330})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/),
  fc.stringMatching(/^0(\.0{1,20})?([eE][+-]?\d{1,9})?$/),
  fc.integer({ min: 990, max: 1010 }).map((zeros) => `1.${'0'.repeat(zeros)}`),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }).map((value) => JSON.stringify(value)),
  fc.stringMatching(/^"(\\u(0000|d[89cdef]00|00e9)|[a-z é]){0,4}"$/),
);
const value = fc.oneof(number, text, fc.constantFrom('[]', '{}', 'null', '[[1]]', '{"__proto__":1}'));
const json = fc.tuple(text, value, value).map(([key, a, b]) => `{${key}:${a},"b":[${b}]}`);

test('Postgres keeps whatever was accepted, and what it makes of it is accepted again', async () => {
  const accepted = { yes: 0, no: 0 };
  await fc.assert(
    fc.asyncProperty(json, async (source) => {
      let parsed: unknown;
      try {
        parsed = parseExactJson(source);
      } catch {
        accepted.no += 1;
        return;
      }
      accepted.yes += 1;
      // Written again, as it is kept: of two equal keys only the second is parsed, and the text itself may hold more.
      const once = await kept(JSON.stringify(parsed));
      expect(await kept(JSON.stringify(parseExactJson(once)))).toBe(once);
    }),
    { numRuns: 1_000 },
  );
  expect(Math.min(accepted.yes, accepted.no)).toBeGreaterThan(50);
});

test.each([
  ['{"a":10.000000000000000001}', '{"a": 10.000000000000000001}'],
  ['{"a":1.50,"b":100.00}', '{"a": 1.50, "b": 100.00}'],
  ['{"a":9007199254740993}', '{"a": 9007199254740993}'],
])('%s keeps its digits as jsonb', async (source, written) => {
  expect(await kept(source)).toBe(written);
});
