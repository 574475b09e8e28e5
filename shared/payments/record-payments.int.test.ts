import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { Database } from '../database.ts';
import { parseExactJson } from '../exact-json.ts';
import { paymentEvent, paymentRecorded } from './events.ts';
import { type NewPayment, paymentIdOf, recordedEventIdOf } from './payment.ts';
import { recordPayments } from './record-payments.ts';
import { newPayment } from './testing.ts';

const connections = 20;
let database: TestDatabase;
let owner: Pool;
let webhooks: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string, max: number) =>
    openPool({ url, min: max, max, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url, 1);
  webhooks = open(database.urlFor('recoup_webhooks'), connections);
  // So that what is started at once runs at once, each on a connection that is already there.
  await Promise.all(Array.from({ length: connections }, () => webhooks.query('select pg_sleep(0.2)')));
});
afterAll(async () => {
  await Promise.all([owner.close(), webhooks.close()]);
  await database.drop();
});

const record = (payments: readonly NewPayment[], db: Database = webhooks) => recordPayments(db, payments);
const outcomes = (recorded: readonly { outcome: string }[]) => recorded.map(({ outcome }) => outcome);
const euros = (amountMinor: bigint) => ({ amountMinor, currency: 'EUR' });

/** How many rows there are, of one reference or of all. */
async function counts(reference = '%') {
  const [row] = await owner.query(
    `select (select count(*)::int from payment_service.payment_references where reference_number like $1) as "references",
            (select count(*)::int from payment_service.payments where reference_number like $1) as payments,
            (select count(*)::int from payment_service.payment_conflicts where reference_number like $1) as conflicts,
            (select count(*)::int from outbox.messages where topic = 'payment.events' and payload::json #>> '{payment,reference_number}' like $1) as messages`,
    [reference],
  );
  return row;
}
const once = { references: 1, payments: 1, conflicts: 0, messages: 1 };

describe('a new payment', () => {
  test('is created under the id of its identity and kept whole', async () => {
    const payment = newPayment({ metadata: '{"rate": 10.000000000000000001, "é": [1.50]}' });
    const id = await paymentIdOf(payment);
    expect(await record([payment])).toEqual([{ outcome: 'created', paymentId: id }]);
    const rows = await owner.query('select *, metadata::text from payment_service.payments where id = $1', [
      id,
    ]);
    expect(rows).toEqual([
      {
        id,
        requires_receipt: false,
        namespace: 'default',
        reference_number: payment.referenceNumber,
        loan_account_number: 'LN-1',
        cif: 'CIF-1',
        amount: '100.5000',
        currency: 'EUR',
        payment_date: payment.paymentDate,
        paid_on: new Date(2026, 10, 23),
        payment_channel: 'bank',
        source: 'webhook',
        metadata: '{"é": [1.50], "rate": 10.000000000000000001}',
        linked_payment_id: null,
        event_id: await recordedEventIdOf(id),
        actor: 'channel:bank',
        created_at: expect.any(Date),
      },
    ]);
    expect(await counts(payment.referenceNumber)).toEqual(once);
  });

  test.each([
    ['EUR', 10_050n, '100.50'],
    ['JPY', 100n, '100'],
    ['KWD', 1_234n, '1.234'],
    ['CLF', 1n, '0.0001'],
    ['EUR', 999_999_999_999_999n, '9999999999999.99'],
    ['CLF', 99_999_999_999_999_999n, '9999999999999.9999'],
  ])('in %s of %s minor units is announced as exactly %s', async (currency, amountMinor, written) => {
    const metadata = '{"rate":10.000000000000000001,"n":1E+2,"text":"\\"😀","__proto__":{"x":1.0}}';
    const payment = newPayment({ amount: { amountMinor, currency }, metadata, loanAccountNumber: 'LN-9' });
    const id = await paymentIdOf(payment);
    await record([payment]);
    const rows = await owner.query<Record<string, string>>(
      'select * from outbox.messages where event_id = $1 order by position',
      [await recordedEventIdOf(id)],
    );
    expect(rows).toMatchObject([
      { destination: 'log', topic: 'payment.events', key: 'LN-9' },
      { destination: 'log', topic: 'payment.lifecycle', key: 'LN-9' },
      { destination: 'ledger', topic: 'ledger.payments', key: id },
    ]);
    expect(JSON.parse(rows[2]?.payload as string)).toEqual({
      paymentId: id,
      referenceNumber: payment.referenceNumber,
      loanAccountNumber: 'LN-9',
      amount: written,
      currency,
      paidOn: '2026-11-23',
      actor: 'channel:bank',
    });
    const lifecycle = paymentEvent.parse(parseExactJson(rows[1]?.payload as string));
    expect(lifecycle).toMatchObject({ id: rows[0]?.event_id, type: 'PAYMENT_RECEIVED', status: 'received' });
    expect(lifecycle.amount?.rawJSON).toBe(written);
    const event = paymentRecorded.parse(parseExactJson(rows[0]?.payload as string));
    expect(event.payment.amount.rawJSON).toBe(written);
    expect(JSON.stringify(event.payment.metadata)).toBe(metadata);
    expect(event).toMatchObject({
      event_id: rows[0]?.event_id,
      payment: {
        id,
        reference_number: payment.referenceNumber,
        loan_account_number: 'LN-9',
        cif: 'CIF-1',
        currency,
        payment_date: '2026-11-23T10:15:30.123Z',
        payment_channel: 'bank',
        source: 'webhook',
      },
    });
    expect(Math.abs(Date.now() - Date.parse(event.timestamp))).toBeLessThan(60_000);
  });

  test.each(['0001-01-01', '1999-12-31', '2199-01-01', '9999-12-31'])(
    'of %s, a day without a partition of its own, goes to the default partition',
    async (paidOn) => {
      const payment = newPayment({ paidOn, paymentDate: new Date(`${paidOn}T12:00:00Z`) });
      expect(outcomes(await record([payment]))).toEqual(['created']);
      const rows = await owner.query(
        `select tableoid::regclass::text as partition, paid_on::text from payment_service.payments where reference_number = $1`,
        [payment.referenceNumber],
      );
      expect(rows).toEqual([{ partition: 'payment_service.payments_default', paid_on: paidOn }]);
    },
  );

  test('of today goes to the partition of its month', async () => {
    const payment = newPayment({ paymentDate: new Date() });
    await record([payment]);
    const [row] = await owner.query<{ partition: string }>(
      `select tableoid::regclass::text as partition from payment_service.payments where reference_number = $1`,
      [payment.referenceNumber],
    );
    expect(row?.partition).toMatch(/\.payments_\d{4}_\d\d$/);
  });
});

test('the same facts again are a duplicate of the first, whatever else differs, and write nothing', async () => {
  const payment = newPayment();
  const [first] = await record([payment]);
  const again = [
    payment,
    { ...payment, cif: 'CIF-2', paymentChannel: 'other', metadata: '{"a":1}' },
    { ...payment, paymentDate: new Date('2026-11-23T22:00:00Z') },
  ];
  for (const repeated of again) {
    expect(await record([repeated])).toEqual([{ outcome: 'duplicate', paymentId: first?.paymentId }]);
  }
  expect(await counts(payment.referenceNumber)).toEqual(once);
});

test.each<[string, Partial<NewPayment>]>([
  ['amount', { amount: euros(10_051n) }],
  ['currency', { amount: { amountMinor: 10_050n, currency: 'USD' } }],
  ['loan account', { loanAccountNumber: 'LN-2' }],
  ['calendar date', { paidOn: '2026-12-23', paymentDate: new Date('2026-12-23T10:15:30Z') }],
])('another %s under a known reference is a conflict, kept once with how often it came', async (_, other) => {
  const payment = newPayment();
  const [first] = await record([payment]);
  const version = { ...payment, cif: 'CIF-2', metadata: '{"n": 1.50}', ...other };
  const [conflict] = await record([version]);
  expect(conflict).toEqual({
    outcome: 'conflict',
    paymentId: first?.paymentId,
    conflictId: expect.any(String),
  });
  expect(await record([version])).toEqual([conflict]);
  expect(outcomes(await record([payment]))).toEqual(['duplicate']);
  const rows = await owner.query(
    `select id, payment_id, cif, metadata::text, times_seen, status from payment_service.payment_conflicts where reference_number = $1`,
    [payment.referenceNumber],
  );
  expect(rows).toMatchObject([
    { payment_id: first?.paymentId, cif: 'CIF-2', metadata: '{"n": 1.50}', times_seen: 2, status: 'open' },
  ]);
  expect(await counts(payment.referenceNumber)).toEqual({ ...once, conflicts: 1 });
});

test('a reference that comes again a month later is the same payment, and a conflict when its date moved along', async () => {
  const payment = newPayment({ paidOn: '2026-10-23', paymentDate: new Date('2026-10-23T10:00:00Z') });
  await record([payment]);
  await owner.query(
    `update payment_service.payment_references set created_at = created_at - interval '1 month' where reference_number = $1`,
    [payment.referenceNumber],
  );
  const moved = { ...payment, paidOn: '2026-11-23', paymentDate: new Date('2026-11-23T10:00:00Z') };
  expect(outcomes(await record([payment, moved]))).toEqual(['duplicate', 'conflict']);
});

test('a reference in another namespace is another payment', async () => {
  const payment = newPayment();
  const other = { ...payment, namespace: 'psp' };
  const recorded = await record([payment, other]);
  expect(recorded).toEqual([
    { outcome: 'created', paymentId: await paymentIdOf(payment) },
    { outcome: 'created', paymentId: await paymentIdOf(other) },
  ]);
});

describe('at the same time', () => {
  test('twenty identical payments on twenty connections are one created and nineteen duplicates', async () => {
    for (let reference = 0; reference < 50; reference++) {
      const payment = newPayment({ referenceNumber: `AT-ONCE-${reference}` });
      const recorded = (
        await Promise.all(Array.from({ length: connections }, () => record([payment])))
      ).flat();
      expect(outcomes(recorded).sort()).toEqual(['created', ...Array(19).fill('duplicate')]);
      expect(new Set(recorded.map(({ paymentId }) => paymentId)).size).toBe(1);
    }
    expect(await counts('AT-ONCE-%')).toEqual({ references: 50, payments: 50, conflicts: 0, messages: 50 });
  });

  test('two versions of one reference, ten of each, are one payment and one conflict', async () => {
    for (let reference = 0; reference < 20; reference++) {
      const payment = newPayment({ referenceNumber: `VERSIONS-${reference}` });
      const versions = [payment, { ...payment, amount: euros(1n) }];
      const recorded = await Promise.all(
        Array.from({ length: connections }, (_, n) => record([versions[n % 2] as NewPayment])),
      );
      const conflicts = recorded.flat().filter((one) => one.outcome === 'conflict');
      expect(conflicts).toHaveLength(10);
      expect(new Set(conflicts.map((one) => one.conflictId)).size).toBe(1);
    }
    expect(await counts('VERSIONS-%')).toEqual({ references: 20, payments: 20, conflicts: 20, messages: 20 });
  });

  test('batches that hold the same references in opposite orders never deadlock', async () => {
    for (let round = 0; round < 10; round++) {
      const batch = Array.from({ length: 100 }, (_, n) =>
        newPayment({ referenceNumber: `ORDER-${round}-${n}` }),
      );
      const other = batch.map((payment) => ({ ...payment, amount: euros(1n) }));
      const orders = [batch, batch.toReversed(), other, other.toReversed()];
      const recorded = (await Promise.all(orders.map((order) => record(order)))).flat();
      expect(outcomes(recorded).filter((outcome) => outcome === 'created')).toHaveLength(100);
      // Known by now: all of them meet at the conflicts' rows alone.
      await Promise.all([...orders, ...orders].map((order) => record(order)));
    }
    expect(await counts('ORDER-%')).toEqual({
      references: 1_000,
      payments: 1_000,
      conflicts: 1_000,
      messages: 1_000,
    });
  });
});

describe('a batch', () => {
  test('is answered in its order, as if its payments had come one after another', async () => {
    const references = fc.constantFrom(0, 1, 2, 3);
    const amounts = fc.constantFrom(1n, 2n, 3n);
    const batches = fc.array(fc.array(fc.tuple(references, amounts), { maxLength: 12 }), {
      minLength: 1,
      maxLength: 4,
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(batches, async (given) => {
        const stem = `MODEL-${run++}`;
        const first = new Map<number, bigint>();
        const versions = new Map<string, string>();
        for (const batch of given) {
          const payments = batch.map(([n, amount]) =>
            newPayment({ referenceNumber: `${stem}-${n}`, amount: euros(amount) }),
          );
          const recorded = await record(payments);
          expect(recorded).toHaveLength(batch.length);
          for (const [position, [n, amount]] of batch.entries()) {
            const known = first.get(n);
            const expected = known === undefined ? 'created' : known === amount ? 'duplicate' : 'conflict';
            if (known === undefined) first.set(n, amount);
            const answer = recorded[position];
            expect(answer?.outcome).toBe(expected);
            expect(answer?.paymentId).toBe(await paymentIdOf(payments[position] as NewPayment));
            if (answer?.outcome !== 'conflict') continue;
            const version = `${n} ${amount}`;
            expect(answer.conflictId).toBe(versions.get(version) ?? answer.conflictId);
            versions.set(version, answer.conflictId);
          }
        }
        expect(await counts(`${stem}-%`)).toEqual({
          references: first.size,
          payments: first.size,
          conflicts: versions.size,
          messages: first.size,
        });
      }),
      { numRuns: 40 },
    );
  });

  test('keeps the first of those that agree on the facts', async () => {
    const payment = newPayment({ cif: 'FIRST' });
    const version = { ...payment, amount: euros(1n), cif: 'SECOND' };
    const recorded = await record([payment, { ...payment, cif: 'X' }, version, { ...version, cif: 'X' }]);
    expect(outcomes(recorded)).toEqual(['created', 'duplicate', 'conflict', 'conflict']);
    const [kept] = await owner.query(
      `select p.cif as payment, c.cif as conflict from payment_service.payments p
       join payment_service.payment_conflicts c on c.payment_id = p.id where p.reference_number = $1`,
      [payment.referenceNumber],
    );
    expect(kept).toEqual({ payment: 'FIRST', conflict: 'SECOND' });
  });

  test('announces its payments in its order', async () => {
    const batch = Array.from({ length: 20 }, (_, n) =>
      newPayment({ referenceNumber: `ANNOUNCED-${(n * 7) % 20}` }),
    );
    await record(batch);
    const rows = await owner.query<{ reference: string }>(
      `select payload::json #>> '{payment,reference_number}' as reference from outbox.messages
       where topic = 'payment.events' and payload like '%ANNOUNCED-%' order by position`,
    );
    expect(rows.map((row) => row.reference)).toEqual(batch.map((payment) => payment.referenceNumber));
  });

  test('of none is answered with none', async () => {
    expect(await record([])).toEqual([]);
  });

  test('of a thousand is one call', async () => {
    const batch = Array.from({ length: 1_000 }, (_, n) => newPayment({ referenceNumber: `THOUSAND-${n}` }));
    expect(new Set(outcomes(await record(batch)))).toEqual(new Set(['created']));
    expect(new Set(outcomes(await record(batch)))).toEqual(new Set(['duplicate']));
    expect(await counts('THOUSAND-%')).toEqual({
      references: 1_000,
      payments: 1_000,
      conflicts: 0,
      messages: 1_000,
    });
  });

  test('is recorded whole or not at all', async () => {
    const known = newPayment();
    await record([known]);
    const before = await counts();
    const good = [newPayment(), { ...known, amount: euros(1n) }];
    const bad: Partial<NewPayment>[] = [
      { loanAccountNumber: 'L'.repeat(21) },
      { metadata: '{' },
      { paidOn: '2026-02-30' },
      { amount: euros(0n) },
      { amount: euros(-1n) },
      { amount: euros(10n ** 15n) },
    ];
    for (const over of bad) {
      await expect(record([...good, newPayment(over)])).rejects.toMatchObject({
        name: 'DatabaseFault',
        retryable: false,
      });
    }
    expect(await counts()).toEqual(before);
  });

  test('goes with the transaction that it is recorded in', async () => {
    const payment = newPayment();
    const lost = webhooks.transaction(async (tx) => {
      expect(outcomes(await record([payment], tx))).toEqual(['created']);
      throw new Error('changed my mind');
    });
    await expect(lost).rejects.toThrow('changed my mind');
    expect(outcomes(await record([payment]))).toEqual(['created']);
  });
});

describe('the function itself', () => {
  /** Calls it as someone who has the webhooks role's password might. */
  const call = (reference: string, amount: string, id: string = crypto.randomUUID()) =>
    webhooks.query(
      `select * from payment_service.record_payments(array[$1::uuid], array[gen_random_uuid()], array['default'], array[$2],
         array['LN-1'], array['CIF-1'], array[$3::numeric], array['EUR'], array[now()], array[current_date], array['bank'],
         array['{}'], array[null::uuid], array[false], array['webhook'], array['test'])`,
      [id, reference, amount],
    );

  test.each(['10.005', '0.001', '1.0000000001', '0', '-1', '10000000000000', 'NaN', 'Infinity'])(
    'refuses an amount of %s EUR and writes nothing',
    async (amount) => {
      const before = await counts();
      await expect(call('DIRECT', amount)).rejects.toMatchObject({
        sqlState: expect.stringMatching(/^(23514|22003)$/),
      });
      expect(await counts()).toEqual(before);
    },
  );

  test('refuses an id that belongs to another reference, and writes nothing', async () => {
    const payment = newPayment();
    const [first] = await record([payment]);
    const before = await counts();
    await expect(call('ANOTHER', '1.00', first?.paymentId)).rejects.toMatchObject({ sqlState: '23505' });
    expect(await counts()).toEqual(before);
  });
});
