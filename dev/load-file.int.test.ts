import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { staging } from '../containers/ingest/staging.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { loadFile } from './load-file.ts';

let database: TestDatabase;
let db: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  db = openPool({ url: database.url, min: 0, max: 4, applicationName: 'load-test', timeoutMs: 30_000 });
});
beforeEach(() => db.query('truncate payment_staging'));
afterAll(async () => {
  await db.close();
  await database.drop();
});

const business = { timeZone: 'Europe/Berlin', currency: 'EUR' };
const header =
  'reference_number,loan_account_number,cif,amount,payment_date,payment_channel,metadata,currency';

async function load(input: string | Buffer | Readable, delimiter = ',', dryRun = false) {
  const bad: string[] = [];
  const chunks: number[] = [];
  const loaded = await loadFile({
    input: input instanceof Readable ? input : Readable.from([Buffer.from(input)]),
    delimiter,
    business,
    db: dryRun ? undefined : db,
    bad: (line, reason) => bad.push(`${line}: ${reason}`),
    progress: ({ staged }) => chunks.push(staged),
  });
  return { ...loaded, reasons: bad, chunks };
}
const rows = () =>
  db.query<Record<string, unknown>>(
    `select reference_number, loan_account_number, cif, amount::text, payment_date::text, payment_channel, metadata::text, currency
     from payment_staging order by id`,
  );
const process = () =>
  staging({
    db,
    instance: 'x',
    business,
    enabled: true,
    batchSize: 1_000,
    workers: 1,
    maxRetries: 0,
  }).runNow();

test('a file is staged as it is written, and its rows become payments', async () => {
  const text = `${header}
A-1,LN-1,CIF-1,100.50,2026-11-20 08:30:00,bank,"{""n"": 10.000000000000000001}",
A-2,LN-1,CIF-1,100,2026-11-20,,,JPY
A-3,LN-1,CIF-1,7,2026-07-01T00:15:00+00:00,,,`;
  expect(await load(text)).toMatchObject({ staged: 3, bad: 0, ignored: [], reasons: [] });
  expect(await rows()).toEqual([
    {
      reference_number: 'A-1',
      loan_account_number: 'LN-1',
      cif: 'CIF-1',
      amount: '100.50',
      payment_date: '2026-11-20 08:30:00',
      payment_channel: 'bank',
      metadata: '{"n": 10.000000000000000001}',
      currency: null,
    },
    expect.objectContaining({
      payment_date: '2026-11-20 00:00:00',
      payment_channel: null,
      metadata: null,
      currency: 'JPY',
    }),
    // A time with an offset is put on the clock of the business zone.
    expect.objectContaining({ payment_date: '2026-07-01 02:15:00' }),
  ]);
  expect(await process()).toEqual({ recorded: 3, duplicate: 0, conflict: 0, quarantined: 0 });
});

test('loaded a second time, a file ends in duplicates only', async () => {
  const text = `${header}\n${Array.from({ length: 30 }, (_, n) => `TWICE-${n},LN-1,CIF-1,${n + 1}.50,2026-03-29 02:30:00,,,`).join('\n')}`;
  await load(text);
  expect(await process()).toMatchObject({ recorded: 30, duplicate: 0 });
  await load(text);
  expect(await process()).toEqual({ recorded: 0, duplicate: 30, conflict: 0, quarantined: 0 });
});

test('quotes, line ends within fields, a BOM, CRLF, empty lines and another order are all read', async () => {
  const text = [
    '\ufeffAmount,Reference_Number , loan_account_number,cif,payment_date,metadata,remark',
    '1.00,"Q ""1""",LN-1,CIF-1,2026-11-20,"{""text"": ""a, b""}",x',
    '',
    '2.00,Q-2,LN-1,CIF-1,2026-11-20,"{',
    '  ""n"": 1',
    '}",x',
    '',
    '3.00,Q-3,LN-1,CIF-1,2026-11-20,,x',
    '',
  ].join('\r\n');
  expect(await load(text)).toMatchObject({ staged: 3, bad: 0, ignored: ['remark'] });
  expect(await rows()).toMatchObject([
    { reference_number: 'Q "1"', amount: '1.00', metadata: '{"text": "a, b"}' },
    { reference_number: 'Q-2', metadata: '{"n": 1}' },
    { reference_number: 'Q-3', metadata: null },
  ]);
});

test.each([';', '\t', '|'])('the delimiter may be %j', async (delimiter) => {
  const text = `${header}\nA-1,LN-1,CIF-1,1.50,2026-11-20,,,`.replaceAll(',', delimiter);
  expect(await load(text, delimiter)).toMatchObject({ staged: 1, bad: 0 });
});

test('bad lines are told by number and reason, and the others are staged', async () => {
  const text = `${header}
OK-1,LN-1,CIF-1,1.00,2026-11-20,,,
,LN-1,CIF-1,1.00,2026-11-20,,,
B-2,LN-1,CIF-1,1.005,2026-11-20,,,
B-3,LN-1,CIF-1,"1,50",2026-02-30,,,

B-4,LN-1,CIF-1,1.00,2026-11-20
B-5,LN-1,CIF-1,1.00,2026-11-20,,,,,
B-6,LN-1,CIF-1,1.00,2026-11-20,,[1],
B-7,LN-1,CIF-1,1.00,2026-11-20,,{,
B-8,LN-1,CIF-1,1.00,2026-11-20,,,XXX
B-"9,LN-1,CIF-1,1.00,2026-11-20,,,
"B-10"x,LN-1,CIF-1,1.00,2026-11-20,,,
OK-2,LN-1,CIF-1,1.00,2026-11-20,,,
`;
  const { reasons, staged, bad } = await load(text);
  expect(reasons).toEqual([
    '3: reference_number: expected a text of 1 to 255 characters',
    '4: amount: has more decimals than its currency',
    expect.stringMatching(/^5: payment_date: .+; amount: expected a number/),
    '7: has 5 fields where the header has 8',
    '8: has 10 fields where the header has 8',
    '9: metadata: expected an object',
    '10: metadata: expected a JSON object that can be kept',
    '11: currency: expected an ISO 4217 code',
    '12: has a quote that neither encloses its field nor is doubled within one',
    '13: has a quote that neither encloses its field nor is doubled within one',
  ]);
  expect([staged, bad]).toEqual([2, 10]);
  expect((await rows()).map((row) => row.reference_number)).toEqual(['OK-1', 'OK-2']);
});

test('what is not UTF-8 is a bad line and not another name', async () => {
  const text = Buffer.from(
    `${header}\nM\u00fcller,LN-1,CIF-1,1.00,2026-11-20,,,\nOK,LN-1,CIF-1,1.00,2026-11-20,,,`,
    'latin1',
  );
  expect(await load(text)).toMatchObject({ staged: 1, reasons: ['2: is not UTF-8'] });
});

test('a quote that is never closed is told, and does not fill the memory', async () => {
  const line = `"open,LN-1,CIF-1,1.00,2026-11-20,,,\n`;
  const { reasons, staged } = await load(`${header}\nOK,LN-1,CIF-1,1.00,2026-11-20,,,\n${line}`);
  expect(staged).toBe(1);
  expect(reasons).toEqual([expect.stringContaining('quote that is never closed')]);
});

test.each([
  ['', 'the file is empty'],
  ['\n\n', 'the file is empty'],
  ['reference_number,cif,amount\nA,B,1', 'missing: loan_account_number, payment_date'],
  [`${header},amount\n`, 'the header names amount twice'],
  ['A-1;LN-1;CIF-1;1.00;2026-11-20\n', 'missing: reference_number'],
])('a file that begins with %j is refused as a whole', async (text, reason) => {
  await expect(load(text)).rejects.toThrow(reason);
  expect(await rows()).toEqual([]);
});

test('a dry run judges and stages nothing', async () => {
  const { staged, bad } = await load(`${header}\nA,LN,C,1,2026-11-20,,,\nB,LN,C,0,2026-11-20,,,`, ',', true);
  expect([staged, bad]).toEqual([1, 1]);
  expect(await rows()).toEqual([]);
});

test('200,000 rows go through in pieces, with progress', async () => {
  const count = 200_000;
  function* lines() {
    yield `${header}\n`;
    for (let n = 0; n < count; n++) {
      yield `BIG-${n},LN-${n % 500},CIF-${n % 500},${(n % 900) + 1}.25,2026-11-${(n % 28) + 1 < 10 ? '0' : ''}${(n % 28) + 1},file,"{""n"": ${n}}",\n`;
    }
  }
  const loaded = await load(Readable.from(lines()));
  expect(loaded).toMatchObject({ staged: count, bad: 0 });
  expect(loaded.chunks.length).toBeGreaterThanOrEqual(100);
  const [counted] = await db.query(
    'select count(*)::int as n, count(distinct reference_number)::int as d from payment_staging',
  );
  expect(counted).toEqual({ n: count, d: count });
}, 120_000);
