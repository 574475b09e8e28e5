import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendarDate, parseInstant } from '../../shared/calendar-date.ts';
import { paymentIdOf } from '../../shared/payments/payment.ts';
import { createPaymentBodyReader } from '../../shared/payments/payment-body.ts';
import { recordPayments } from '../../shared/payments/record-payments.ts';
import { newPayment, standardChannel } from '../../shared/payments/testing.ts';
import { correctStaged, releaseStaged } from '../../shared/staging/correct-staged.ts';
import { claimFresh } from '../../shared/staging/store.ts';
import { closeInterrupted } from '../../shared/staging/tidy-log.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type StagingOptions, staging } from './staging.ts';

const timeZone = 'Europe/Berlin';
const business = { timeZone, currency: 'EUR' };
let database: TestDatabase;
let owner: Pool;
let ingest: Pool;

/** As the container's role, which may do no more than it needs. */
const asIngest = (url: string) => `${url}?options=${encodeURIComponent('-c role=recoup_ingest')}`;
const open = (url: string, max = 6) =>
  openPool({ url, min: 0, max, applicationName: 'staging-test', timeoutMs: 20_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = open(database.url);
  ingest = open(asIngest(database.url));
});
beforeEach(async () => {
  await owner.query(
    `truncate payment_staging, payment_service.payment_references, payment_service.payments, outbox.messages,
       payment_service.payment_conflicts, payment_service.staging_process_log, payment_service.staging_changes`,
  );
});
afterAll(async () => {
  await Promise.all([owner.close(), ingest.close()]);
  await database.drop();
});

const starting = (changes: Partial<StagingOptions> = {}) =>
  staging({
    db: ingest,
    instance: 'one',
    business,
    enabled: true,
    batchSize: 50,
    workers: 2,
    maxRetries: 3,
    ...changes,
  });

interface Row {
  reference_number?: string | null;
  loan_account_number?: string | null;
  cif?: string | null;
  amount?: string | null;
  payment_date?: string | null;
  payment_channel?: string | null;
  metadata?: string | null;
  currency?: string | null;
}
const good = (reference: string, over: Row = {}): Row => ({
  reference_number: reference,
  loan_account_number: 'LN-1',
  cif: 'CIF-1',
  amount: '100.50',
  payment_date: '2026-11-20 08:30:00',
  payment_channel: 'bank-file',
  metadata: '{"line": 1}',
  ...over,
});
const columns = [
  'reference_number',
  'loan_account_number',
  'cif',
  'amount',
  'payment_date',
  'payment_channel',
  'metadata',
  'currency',
] as const;

async function stage(rows: readonly Row[], db: Pick<Pool, 'query'> = owner): Promise<void> {
  await db.query(
    `insert into payment_staging (${columns.join(', ')})
     select r, l, c, a::numeric, d::timestamp, ch, m::jsonb, cu
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
       as t (r, l, c, a, d, ch, m, cu)`,
    columns.map((column) => rows.map((row) => row[column] ?? null)),
  );
}
const outcomes = async () => {
  const rows = await owner.query<{ outcome: string; n: number }>(
    `select coalesce(outcome, 'pending') as outcome, count(*)::int as n from payment_staging group by 1`,
  );
  return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, n]));
};
const row = async (reference: string) =>
  (
    await owner.query<Record<string, unknown>>(
      'select * from payment_staging where reference_number = $1 order by id',
      [reference],
    )
  )[0];
const payments = () =>
  owner.query<Record<string, unknown>>(
    `select reference_number, amount::text, currency::text, to_char(payment_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
       paid_on::text, payment_channel, source, actor, metadata::text, loan_account_number, cif
     from payment_service.payments order by reference_number`,
  );

/** Ends every wait for another attempt, and works until nothing is left. */
async function untilDone(run = starting()): Promise<void> {
  for (;;) {
    await owner.query('update payment_staging set retry_at = now() where retry_at > now()');
    if ((await run.step()) > 0) continue;
    const [left] = await owner.query<{ n: number }>(
      'select count(*)::int as n from payment_staging where processed is not true',
    );
    if (left?.n === 0) return;
    await sleep(10);
  }
}

test('the INSERT of an ETL that knows seed 003 alone is recorded', async () => {
  await owner.query(
    `INSERT INTO payment_staging (reference_number, loan_account_number, cif, amount, payment_date, payment_channel, metadata)
     VALUES ('INV-1', 'LN00001234', 'CIF000077', 100.50, '2026-11-20 08:30:00', 'bank-file', '{"rate": 10.000000000000000001}')`,
  );
  expect(await starting().step()).toBe(1);
  const id = paymentIdOf({ namespace: 'default', referenceNumber: 'INV-1' });
  expect(await row('INV-1')).toMatchObject({
    processed: true,
    processed_at: expect.any(Date),
    outcome: 'recorded',
    reason: null,
    payment_id: id,
    conflict_id: null,
  });
  expect(await payments()).toEqual([
    {
      reference_number: 'INV-1',
      amount: '100.5000',
      currency: 'EUR',
      at: '2026-11-20T07:30:00.000Z',
      paid_on: '2026-11-20',
      payment_channel: 'bank-file',
      source: 'staging',
      actor: 'job:staging',
      metadata: '{"rate": 10.000000000000000001}',
      loan_account_number: 'LN00001234',
      cif: 'CIF000077',
    },
  ]);
  const [message] = await owner.query<{ payload: string }>(
    'select payload from outbox.messages where topic = $1',
    ['payment.events'],
  );
  expect(JSON.parse(message?.payload ?? '')).toMatchObject({
    payment: { id, source: 'staging', amount: 100.5 },
  });
});

test('processed_at is the clock of the business zone, as every time of the table', async () => {
  await stage([good('A')]);
  await starting({ business: { ...business, timeZone: 'Pacific/Kiritimati' } }).step();
  const [stored] = await owner.query<{ at: string }>('select processed_at::text as at from payment_staging');
  const at = parseInstant(stored?.at ?? '', 'Pacific/Kiritimati');
  expect(Math.abs(Date.now() - (at?.getTime() ?? 0))).toBeLessThan(60_000);
});

describe('a row', () => {
  const long = 'x'.repeat(300);
  const bad: [string, Row, string][] = [
    ['without a reference', { reference_number: null }, 'invalid_reference_number'],
    ['with an empty reference', { reference_number: '' }, 'invalid_reference_number'],
    ['with an over-long reference', { reference_number: long }, 'invalid_reference_number'],
    ['with a control character', { reference_number: 'A\u0007B' }, 'invalid_reference_number'],
    ['with white space around its reference', { reference_number: ' A' }, 'invalid_reference_number'],
    ['without a loan', { loan_account_number: null }, 'invalid_loan_account_number'],
    ['with an over-long loan', { loan_account_number: long }, 'invalid_loan_account_number'],
    ['without a customer', { cif: null }, 'invalid_cif'],
    ['with an over-long customer', { cif: long }, 'invalid_cif'],
    ['with an over-long channel', { payment_channel: long }, 'invalid_payment_channel'],
    ['with an empty channel', { payment_channel: '' }, 'invalid_payment_channel'],
    ['without an amount', { amount: null }, 'not_a_number'],
    ['of NaN', { amount: 'NaN' }, 'not_a_number'],
    ['of infinity', { amount: 'Infinity' }, 'not_a_number'],
    ['of less than infinity', { amount: '-Infinity' }, 'not_a_number'],
    ['of nothing', { amount: '0.00' }, 'not_positive'],
    ['of less than nothing', { amount: '-1' }, 'not_positive'],
    ['with a third decimal', { amount: '10.005' }, 'too_many_decimals'],
    ['of more than is kept', { amount: '10000000000000' }, 'too_large'],
    ['of more digits than can be read', { amount: `1${'0'.repeat(90)}` }, 'not_a_number'],
    ['without a date', { payment_date: null }, 'invalid_payment_date'],
    ['of the end of time', { payment_date: 'infinity' }, 'invalid_payment_date'],
    ['of the beginning of time', { payment_date: '-infinity' }, 'invalid_payment_date'],
    ['of before our era', { payment_date: '0044-03-15 10:00:00 BC' }, 'invalid_payment_date'],
    ['of the year 10000', { payment_date: '10000-01-01' }, 'invalid_payment_date'],
    ['whose metadata is a list', { metadata: '[1]' }, 'invalid_metadata'],
    ['whose metadata is a text', { metadata: '"{}"' }, 'invalid_metadata'],
    ['whose metadata is JSON null', { metadata: 'null' }, 'invalid_metadata'],
    [
      'whose metadata is too large',
      { metadata: JSON.stringify({ a: 'x'.repeat(70_000) }) },
      'invalid_metadata',
    ],
    [
      'whose metadata nests too deep',
      { metadata: `{"a":${'['.repeat(101)}${']'.repeat(101)}}` },
      'invalid_metadata',
    ],
    ['whose metadata has a number beyond a double', { metadata: '{"a": 1e400}' }, 'invalid_metadata'],
    ['in a currency that is none', { currency: 'EURO' }, 'invalid_currency'],
    ['in a currency of its metadata that is none', { metadata: '{"currency": "XXX"}' }, 'invalid_currency'],
    ['in a currency of its metadata that is a number', { metadata: '{"currency": 978}' }, 'invalid_currency'],
  ];

  test.each(bad)('%s is quarantined, and its neighbours are recorded', async (_, over, reason) => {
    await stage([good('BEFORE'), good('BAD', over), good('AFTER')]);
    expect(await starting().step()).toBe(3);
    expect(await outcomes()).toEqual({ recorded: 2, quarantined: 1 });
    const [quarantined] = await owner.query<Record<string, unknown>>(
      `select processed, processed_at is not null as at, reason, faults, payment_id from payment_staging where outcome = 'quarantined'`,
    );
    expect(quarantined).toEqual({
      processed: true,
      at: true,
      reason,
      faults: [expect.objectContaining({ field: expect.any(String), message: expect.stringMatching(/\w/) })],
      payment_id: null,
    });
  });

  test('that is wrong in many ways is told all of them', async () => {
    await stage([{ amount: '-1', metadata: '3' }]);
    await starting().step();
    const [quarantined] = await owner.query<{ faults: { field: string }[] }>(
      'select faults from payment_staging',
    );
    expect(quarantined?.faults.map((fault) => fault.field).sort()).toEqual(
      ['amount', 'cif', 'loan_account_number', 'metadata', 'payment_date', 'reference_number'].sort(),
    );
  });

  test.each<[string, Row, string, string]>([
    ['its column', { currency: 'JPY', amount: '100', metadata: '{"currency": "USD"}' }, 'JPY', '100.0000'],
    ['its metadata', { amount: '1.234', metadata: '{"currency": "KWD"}' }, 'KWD', '1.2340'],
    ['the deployment', { metadata: '{"currency": null}' }, 'EUR', '100.5000'],
    ['the deployment, without metadata', { metadata: null, payment_channel: null }, 'EUR', '100.5000'],
  ])('has the currency of %s', async (_, over, currency, amount) => {
    await stage([good('A', over)]);
    await starting().step();
    expect(await payments()).toMatchObject([{ currency, amount }]);
  });

  test('whose amount has zeros behind its decimals is that amount', async () => {
    await stage([good('A', { amount: '100.5000000000' }), good('B', { amount: '100' })]);
    await starting().step();
    expect(await payments()).toMatchObject([{ amount: '100.5000' }, { amount: '100.0000' }]);
  });

  test.each([
    ['2026-07-01 00:15:00', '2026-06-30T22:15:00.000Z', '2026-07-01'],
    ['2026-12-31 23:59:59.999999', '2026-12-31T22:59:59.999Z', '2026-12-31'],
    // The clock goes forward over this hour, and shows this one twice.
    ['2026-03-29 02:30:00', '2026-03-29T01:30:00.000Z', '2026-03-29'],
    ['2026-10-25 02:30:00', '2026-10-25T00:30:00.000Z', '2026-10-25'],
    ['1893-03-31 23:59:59', '1893-03-31T23:06:31.000Z', '1893-03-31'],
  ])('of %s is of that time in the business zone', async (date, at, paidOn) => {
    await stage([good('A', { payment_date: date })]);
    await owner.query(
      `alter database ${new URL(database.url).pathname.slice(1)} set datestyle = 'German, DMY'`,
    );
    const other = open(asIngest(database.url));
    try {
      await starting({ db: other }).step();
    } finally {
      await other.close();
      await owner.query(`alter database ${new URL(database.url).pathname.slice(1)} reset datestyle`);
    }
    expect(await payments()).toMatchObject([{ at, paid_on: paidOn }]);
  });
});

test('duplicates and conflicts within a batch and with what is known end as such, with what they met', async () => {
  const known = newPayment({
    referenceNumber: 'KNOWN',
    paidOn: '2026-11-20',
    paymentDate: new Date('2026-11-20T07:30:00Z'),
  });
  await recordPayments(owner, [known]);
  await stage([
    good('A'),
    good('A', { cif: 'OTHER' }),
    good('A', { amount: '1.00' }),
    good('KNOWN'),
    good('KNOWN', { payment_date: '2026-11-21' }),
  ]);
  await starting().step();
  const rows = await owner.query<Record<string, unknown>>(
    'select outcome, payment_id, conflict_id is not null as conflicting from payment_staging order by id',
  );
  const [a, b] = ['A', 'KNOWN'].map((referenceNumber) =>
    paymentIdOf({ namespace: 'default', referenceNumber }),
  );
  expect(rows).toEqual([
    { outcome: 'recorded', payment_id: a, conflicting: false },
    { outcome: 'duplicate', payment_id: a, conflicting: false },
    { outcome: 'conflict', payment_id: a, conflicting: true },
    { outcome: 'duplicate', payment_id: b, conflicting: false },
    { outcome: 'conflict', payment_id: b, conflicting: true },
  ]);
  const conflicts = await owner.query('select source, actor from payment_service.payment_conflicts');
  expect(conflicts).toEqual([
    { source: 'staging', actor: 'job:staging' },
    { source: 'staging', actor: 'job:staging' },
  ]);
});

test('whatever is staged, every row ends, and the payments are those that the webhooks would record', async () => {
  const read = createPaymentBodyReader(business);
  const anyRow = fc.record({
    reference: fc.constantFrom('R1', 'R2', 'R3', ' R4', ''),
    loan: fc.constantFrom('LN-1', 'LN-2', 'x'.repeat(21)),
    amount: fc.constantFrom('1', '2.50', '0', '-3', '1.005', '99999999999999'),
    date: fc.constantFrom(
      '2026-03-29 02:30:00',
      '2026-10-25 02:30:00',
      '2026-11-20 23:59:59',
      '2026-11-21 00:00:00',
    ),
    currency: fc.constantFrom(null, 'EUR', 'JPY', 'XXX'),
    metadata: fc.constantFrom(null, '{}', '{"n": 1.50}', '[]', `{"long": "${'y'.repeat(300)}"}`),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRow, { maxLength: 25 }),
      fc.constantFrom(1, 3, 50),
      async (given, batchSize) => {
        await owner.query(
          'truncate payment_staging, payment_service.payment_references, payment_service.payments, payment_service.payment_conflicts',
        );
        await stage(
          given.map((one) =>
            good(one.reference, {
              loan_account_number: one.loan,
              amount: one.amount,
              payment_date: one.date,
              currency: one.currency,
              metadata: one.metadata,
            }),
          ),
        );
        // One worker, so that the rows are met in their order.
        const totals = await starting({ batchSize, workers: 1 }).runNow();
        expect(totals.recorded + totals.duplicate + totals.conflict + totals.quarantined).toBe(given.length);
        const ours = { totals, rows: await payments(), outcomes: await outcomes() };
        expect(Object.values(ours.outcomes).reduce((sum, n) => sum + n, 0)).toBe(given.length);

        await owner.query(
          'truncate payment_service.payment_references, payment_service.payments, payment_service.payment_conflicts',
        );
        const theirs = { recorded: 0, duplicate: 0, conflict: 0, quarantined: 0 };
        for (const one of given) {
          const body = `{"reference_number":${JSON.stringify(one.reference)},"loan_account_number":"${one.loan}","cif":"CIF-1",
          "amount":${one.amount},"payment_date":"${one.date}","payment_channel":"bank-file","currency":${JSON.stringify(one.currency)},
          "metadata":${one.metadata ?? 'null'}}`;
          const payment = read(Buffer.from(body), standardChannel());
          if (!payment.ok) {
            theirs.quarantined += 1;
            continue;
          }
          const staged = { ...payment.value, source: 'staging', actor: 'job:staging' } as const;
          const [recorded] = await recordPayments(owner, [staged]);
          const outcome = recorded?.outcome ?? 'created';
          theirs[outcome === 'created' ? 'recorded' : outcome] += 1;
        }
        expect(ours.totals).toEqual(theirs);
        expect(ours.rows).toEqual(await payments());
      },
    ),
    { numRuns: 40 },
  );
});

describe('several at once', () => {
  test('two instances with two workers each share a backlog, every row once', async () => {
    await stage(Array.from({ length: 3_000 }, (_, n) => good(`R-${n % 2_500}`)));
    const other = open(asIngest(database.url));
    const instances = [starting(), starting({ db: other, instance: 'two' })];
    await Promise.all(instances.map((instance) => instance.runNow()));
    await other.close();
    expect(await outcomes()).toEqual({ recorded: 2_500, duplicate: 500 });
    const log = await owner.query<{ instance: string; rows: number; status: string }>(
      `select instance, status, sum(total_records)::int as rows from payment_service.staging_process_log group by 1, 2`,
    );
    expect(log.map(({ instance, status }) => `${instance} ${status}`).sort()).toEqual([
      'one completed',
      'two completed',
    ]);
    expect(log.reduce((sum, { rows }) => sum + rows, 0)).toBe(3_000);
    const [announced] = await owner.query<{ n: number }>(
      `select count(*)::int as n from outbox.messages where topic = 'payment.events'`,
    );
    expect(announced?.n).toBe(2_500);
  });

  test('a small backlog is one worker’s, a large one has more', async () => {
    let most = 0;
    let running = 0;
    const counting: StagingOptions['db'] = {
      ...ingest,
      transaction: async (work) => {
        most = Math.max(most, ++running);
        try {
          return await ingest.transaction(work);
        } finally {
          running -= 1;
        }
      },
    };
    await stage(Array.from({ length: 49 }, (_, n) => good(`SMALL-${n}`)));
    await starting({ db: counting }).step();
    expect(most).toBe(1);
    await stage(Array.from({ length: 400 }, (_, n) => good(`LARGE-${n}`)));
    await starting({ db: counting }).step();
    expect(most).toBe(2);
  });

  test('rows that others hold are left to them, and nobody waits', async () => {
    await stage([good('HELD'), good('FREE')]);
    await owner.transaction(async (tx) => {
      await tx.query(`select from payment_staging where reference_number = 'HELD' for update`);
      expect(await starting().step()).toBe(1);
      expect(await outcomes()).toEqual({ recorded: 1, pending: 1 });
    });
    expect(await starting().step()).toBe(1);
    expect(await outcomes()).toEqual({ recorded: 2 });
  });

  test('readers and the ETL go on while a batch is under way', async () => {
    await stage([good('A')]);
    await ingest.transaction(async (tx) => {
      await tx.query('select from payment_staging for update');
      const hasty = openPool({ url: database.url, min: 0, max: 1, applicationName: 'etl', timeoutMs: 3_000 });
      await stage([good('B')], hasty);
      expect(await hasty.query('select from payment_staging')).toHaveLength(2);
      await hasty.close();
    });
  });
});

test('rows that are committed late, with ids below those that are done, are found', async () => {
  const run = starting({ batchSize: 2 });
  const slow = open(database.url, 1);
  await slow.transaction(async (tx) => {
    await stage([good('LATE-1'), good('LATE-2')], tx as Pool);
    await stage(Array.from({ length: 20 }, (_, n) => good(`R-${n}`)));
    expect(await run.step()).toBe(20);
  });
  await slow.close();
  expect(await run.step()).toBe(2);
  expect(await outcomes()).toEqual({ recorded: 22 });
});

test('rows are taken in the order of their ids, of whatever length those are', async () => {
  await stage(Array.from({ length: 130 }, (_, n) => good(`R-${n}`)));
  await starting({ batchSize: 10, workers: 1 }).step();
  const batches = await owner.query<{ first: number; span: number }>(
    `select (batch_start_id - (select min(id) from payment_staging))::int as first, (batch_end_id - batch_start_id)::int as span
     from payment_service.staging_process_log order by started_at`,
  );
  expect(batches).toEqual(Array.from({ length: 13 }, (_, n) => ({ first: n * 10, span: 9 })));
});

test('a claim reads little more than its batch, however much waits', async () => {
  await owner.query(
    `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date)
     select 'BULK-' || n, 'LN', 'CIF', 1, now() from generate_series(1, 20000) as n`,
  );
  await owner.query('analyze payment_staging');
  const plan = await owner.transaction(async (tx) => {
    const claimed: string[] = [];
    await claimFresh(
      {
        ...tx,
        query: async (text, params) => {
          const rows = await tx.query<{ 'QUERY PLAN': string }>(
            `explain (analyze, timing off) ${text}`,
            params,
          );
          claimed.push(...rows.map((one) => one['QUERY PLAN']));
          return [];
        },
      },
      { after: '0', upTo: undefined },
      50,
    );
    return claimed.join('\n');
  });
  expect(plan).toContain('Index Scan using payment_staging_pending');
  expect(plan).not.toMatch(/Sort|Seq Scan/);
});

test('switched off, nothing is taken but on demand', async () => {
  await stage([good('A')]);
  const off = starting({ enabled: false });
  expect(await off.step()).toBe(0);
  expect(await outcomes()).toEqual({ pending: 1 });
  expect(await off.runNow()).toEqual({ recorded: 1, duplicate: 0, conflict: 0, quarantined: 0 });
});

test('on demand the backlog of that moment is done, with word of it as it goes, and later rows wait', async () => {
  await stage(Array.from({ length: 500 }, (_, n) => good(`R-${n}`)));
  const told: number[] = [];
  let added: Promise<void> | undefined;
  const totals = await starting().runNow(({ recorded }) => {
    told.push(recorded);
    added ??= stage([good('LATER')]);
  });
  await added;
  expect(totals.recorded).toBe(500);
  expect(told.at(-1)).toBe(500);
  expect(told.length).toBeGreaterThanOrEqual(10);
  expect(await outcomes()).toEqual({ recorded: 500, pending: 1 });
});

describe('a batch that faults', () => {
  beforeEach(() =>
    owner.query(
      `create or replace function public.refuse() returns trigger language plpgsql as $$ begin
         if new.reference_number like 'CULPRIT%' then raise exception 'no % here', new.reference_number; end if;
         return new;
       end $$;
       create or replace trigger refuse before insert on payment_service.payment_references
         for each row execute function public.refuse()`,
    ),
  );
  const removeTrigger = () =>
    owner.query('drop trigger if exists refuse on payment_service.payment_references');
  afterAll(removeTrigger);
  const rows = (n: number, culprits: number[]) =>
    Array.from({ length: n }, (_, i) => good(culprits.includes(i) ? `CULPRIT-${i}` : `R-${i}`));

  test('waits longer each time, then is halved until the culprit is alone and quarantined', async () => {
    await stage(rows(16, [5]));
    const run = starting({ maxRetries: 2, batchSize: 16 });
    for (const attempts of [1, 2]) {
      expect(await run.step()).toBe(16);
      const [state] = await owner.query<Record<string, number>>(
        `select min(attempts)::int as attempts, count(distinct batch_id)::int as batches,
                round(extract(epoch from max(retry_at) - now()))::int as seconds from payment_staging`,
      );
      expect(state).toMatchObject({ attempts, batches: 1 });
      // 1 s, then 2 s; the look at it takes a moment.
      expect(state?.seconds).toBeGreaterThanOrEqual(attempts - 1);
      expect(state?.seconds).toBeLessThanOrEqual(attempts);
      await owner.query('update payment_staging set retry_at = now()');
    }
    await untilDone(run);
    expect(await outcomes()).toEqual({ recorded: 15, quarantined: 1 });
    expect(await row('CULPRIT-5')).toMatchObject({
      reason: 'fault',
      faults: [{ field: 'row', code: 'P0001', message: 'no CULPRIT-5 here' }],
    });
    const failed = await owner.query<{ total_records: number }>(
      `select total_records, error_details from payment_service.staging_process_log where status = 'failed' order by started_at`,
    );
    expect(failed.map((one) => one.total_records)).toEqual([16, 16, 16, 8, 4, 2, 1]);
    expect(failed[0]).toMatchObject({
      error_details: { code: 'P0001', message: 'no CULPRIT-5 here', attempt: 1 },
    });
  });

  test('holds back no other batch while it waits', async () => {
    await stage(rows(40, [3]));
    await starting({ batchSize: 10 }).step();
    expect(await outcomes()).toEqual({ recorded: 30, pending: 10 });
  });

  test('is recorded whole when the fault passes before its attempts are used up, also by another process', async () => {
    await stage(rows(10, [3]));
    await starting().step();
    await removeTrigger();
    await untilDone(starting({ instance: 'another' }));
    expect(await outcomes()).toEqual({ recorded: 10 });
  });

  test('finds many culprits, whatever their places', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(39), { maxLength: 6 }), async (culprits) => {
        await owner.query(
          'truncate payment_staging, payment_service.payment_references, payment_service.payments, outbox.messages',
        );
        await stage(rows(40, culprits));
        await untilDone(starting({ batchSize: 20, maxRetries: 0 }));
        const found = await outcomes();
        expect([found.recorded ?? 0, found.quarantined ?? 0]).toEqual([
          40 - culprits.length,
          culprits.length,
        ]);
      }),
      { numRuns: 8 },
    );
  });

  test('on demand is waited for', async () => {
    await stage(rows(4, [1]));
    expect(await starting({ maxRetries: 1 }).runNow()).toMatchObject({ recorded: 3, quarantined: 1 });
  });

  test('through no fault of its rows uses up no attempt: all are as they were', async () => {
    await stage(rows(5, []));
    await owner.query('revoke execute on function payment_service.record_payments from recoup_ingest');
    try {
      await expect(starting().step()).rejects.toMatchObject({ name: 'DatabaseFault', sqlState: '42501' });
    } finally {
      await owner.query('grant execute on function payment_service.record_payments to recoup_ingest');
    }
    const [state] = await owner.query(
      `select count(*)::int as rows, max(attempts)::int as attempts from payment_staging where processed is not true and batch_id is null`,
    );
    expect(state).toEqual({ rows: 5, attempts: 0 });
    await starting().step();
    expect(await outcomes()).toEqual({ recorded: 5 });
  });
});

test('a batch shows in the log while it is under way, and one that was interrupted is closed by the next look', async () => {
  await stage([good('A'), good('B')]);
  const log = () =>
    owner.query<Record<string, unknown>>(
      `select status, total_records, processed_records, completed_at is not null as ended, error_details,
              batch_end_id - batch_start_id as span from payment_service.staging_process_log order by started_at, status`,
    );
  await owner.transaction(async (tx) => {
    // Whoever records A waits for this one.
    await recordPayments(tx, [newPayment({ referenceNumber: 'A' })]);
    const working = starting().step();
    await expect.poll(log).toEqual([
      {
        status: 'processing',
        total_records: 2,
        processed_records: 0,
        ended: false,
        error_details: null,
        span: '1',
      },
    ]);
    // Another instance's look leaves the living alone.
    await starting().step();
    expect(await log()).toMatchObject([{ status: 'processing' }]);
    const [victim] = await tx.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`,
    );
    const ended = expect(working).rejects.toMatchObject({ name: 'DatabaseFault', retryable: true });
    await owner.query('select pg_terminate_backend($1, 5000)', [victim?.pid]);
    await ended;
  });
  await starting().step();
  expect(await log()).toMatchObject([
    { status: 'failed', error_details: { code: 'interrupted' }, ended: true },
    { status: 'completed', processed_records: 1, ended: true },
  ]);
  expect(await outcomes()).toEqual({ recorded: 1, conflict: 1 });
});

test('killed with -9 at any moment, nothing is lost and nothing is twice', async () => {
  const count = 6_000;
  await stage(Array.from({ length: count }, (_, n) => good(`R-${n}`)));
  const script = join(import.meta.dirname, '../../test/staging-process.ts');
  const done = async () => (await outcomes()).recorded ?? 0;
  for (let kill = 0; kill < 5; kill++) {
    const before = await done();
    const victim = spawn(process.execPath, [script, asIngest(database.url), '20'], { stdio: 'inherit' });
    await expect.poll(done, { timeout: 20_000, interval: 5 }).toBeGreaterThan(before);
    await sleep(kill * 3);
    victim.kill('SIGKILL');
    await once(victim, 'exit');
  }
  expect(await done()).toBeLessThan(count);
  await starting({ batchSize: 500 }).runNow();
  expect(await outcomes()).toEqual({ recorded: count });
  const [counted] = await owner.query(
    `select (select count(*)::int from payment_service.payments) as payments,
            (select count(distinct event_id)::int from outbox.messages where topic = 'payment.events') as events,
            (select count(*)::int from outbox.messages where topic = 'payment.events') as messages,
            (select count(*)::int from payment_staging where attempts > 0) as tried`,
  );
  expect(counted).toEqual({ payments: count, events: count, messages: count, tried: 0 });
  const underWay = async () => {
    await closeInterrupted(ingest);
    return owner.query(`select from payment_service.staging_process_log where status = 'processing'`);
  };
  await expect.poll(underWay, { timeout: 10_000 }).toEqual([]);
}, 120_000);

describe('staff', () => {
  const actor = 'key:abc';
  test('correct a quarantined row, which keeps what it was, and release it', async () => {
    await stage([good('A', { amount: '10.005', metadata: '[1.50]' })]);
    await starting().step();
    const { id } = (await row('A')) as { id: string };
    const changes = { amount: '10.01', metadata: '{"n": 10.000000000000000001}' };
    expect(await correctStaged(owner, { id, changes, note: 'typing error', actor })).toBe(true);
    expect(await releaseStaged(owner, { ids: [id], reason: null, note: null, actor })).toBe(1);
    expect(await row('A')).toMatchObject({ processed: false, outcome: null, reason: null, faults: null });
    await starting().step();
    expect(await payments()).toMatchObject([{ amount: '10.0100', metadata: '{"n": 10.000000000000000001}' }]);
    const kept = await owner.query(
      'select kind, before::text, after::text, note, actor from payment_service.staging_changes order by id',
    );
    expect(kept).toEqual([
      {
        kind: 'corrected',
        before: '{"amount": 10.005, "metadata": [1.50]}',
        after: '{"amount": "10.01", "metadata": {"n": 10.000000000000000001}}',
        note: 'typing error',
        actor,
      },
      { kind: 'released', before: null, after: null, note: null, actor },
    ]);
    expect(await correctStaged(owner, { id, changes, note: null, actor })).toBe(false);
    expect(await releaseStaged(owner, { ids: [id], reason: null, note: null, actor })).toBe(0);
  });

  test('release many at once, by reason, and what is still wrong comes back', async () => {
    await stage([good('A', { amount: '0' }), good('B', { amount: '0' }), good('C', { cif: null })]);
    await starting().step();
    expect(await releaseStaged(owner, { ids: null, reason: 'not_positive', note: null, actor })).toBe(2);
    expect(await outcomes()).toEqual({ pending: 2, quarantined: 1 });
    await starting().step();
    expect(await outcomes()).toEqual({ quarantined: 3 });
  });
});

test('the calendar date that decides is that of the business zone', () => {
  const at = parseInstant('2026-07-01 00:15:00', timeZone) as Date;
  expect(calendarDate(at, timeZone)).toBe('2026-07-01');
});
