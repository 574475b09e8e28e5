import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEnvelope } from '../stream/envelope.ts';
import { samples, withValue } from './events/testing.ts';
import type { Incoming } from './fold-batch.ts';
import { inBatches } from './projections/testing.ts';
import { readEvent } from './read-event.ts';
import { type Folding, openFolding, rules } from './testing.ts';

let folding: Folding;

beforeAll(async () => {
  folding = await openFolding();
});
afterAll(() => folding.close());

/** Four bytes a character, and nothing in it that Postgres could compress. */
const wide = (length: number) =>
  Array.from({ length }, (_, n) =>
    String.fromCodePoint(0x10000 + ((n * n * 7919 + n * 104_729) % 60_000)),
  ).join('');
const odd: unknown[] = [
  ...[
    '',
    ' ',
    'NULL',
    '{}',
    '{"a",\\"b"}',
    `it's "quoted", \\back`,
    '%_',
    'a:b#c',
    '\u2028',
    'é\u0301',
    '\u0000',
  ],
  ...[wide(50), wide(100), 'x'.repeat(100), 'x'.repeat(200), wide(10_000), 'x'.repeat(20_000)],
  ...[
    '0001-01-01T00:00:00Z',
    '0001-01-02',
    '9999-12-31',
    '9999-12-31T23:59:59.999999999Z',
    '1700000000.123456789',
  ],
  ...['-0', '9999999999999.99', '-9999999999999.99', '1e13', '0.001', '999999999', '-999999999', '1e-400'],
  ...[
    0,
    -1,
    1.5,
    1e12,
    true,
    null,
    [],
    {},
    [[]],
    [null],
    ['x'],
    [{}],
    { a: null },
    [{ customer_id: 'x', role: wide(100) }],
  ],
  [{ customer_id: 'C2' }, { customer_id: 'C2', role: 'x' }, { customer_id: 'C1' }],
  [
    { type: 'cif', value: 'K1' },
    { type: 'CIF', value: 'K1' },
    { type: wide(50), value: wide(100) },
  ],
  [
    { payment_number: 1 },
    { payment_number: 1, amount: 5 },
    { payment_number: -7 },
    { payment_number: 999999999 },
  ],
  [{ payment_number: 1, amount: '-9999999999999.99', paid_amount: 0, due_date: '0001-01-02' }],
];

/** Each is about aggregates of its own, so that none is overtaken by the next. */
const ofItsOwn = (payload: Record<string, unknown>, n: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(payload).map(([name, value]) => {
      if (name === 'payment') return [name, ofItsOwn(value as Record<string, unknown>, n)];
      return [
        name,
        typeof value === 'string' && /id$|^application_number$/.test(name) ? `${value}-${n}` : value,
      ];
    }),
  );

function* read(): Generator<Incoming> {
  let n = 0;
  for (const [type, { payload }] of Object.entries(samples))
    for (const path of Object.keys(payload).flatMap((name) =>
      name === 'payment'
        ? [name, 'payment.id', 'payment.amount', 'payment.cif', 'payment.payment_date']
        : [name],
    ))
      for (const value of odd) {
        const fields = {
          event_type: type,
          id: `${n++}`,
          timestamp: '2026-01-01',
          payload: JSON.stringify(withValue(ofItsOwn(payload, n), path, () => value)),
        };
        const envelope = readEnvelope(fields, rules.timeZone);
        const event = envelope.ok ? readEvent(envelope.value, rules) : envelope;
        if (event.ok) yield { source: 'test', read: event.value };
      }
}

const fold = (batch: readonly Incoming[]) =>
  folding.foldRead(batch).then(
    () => undefined,
    (fault: Error) => fault,
  );

/** What cannot be folded, each alone. */
async function faults(batch: readonly Incoming[]): Promise<string[]> {
  const fault = await fold(batch);
  if (!fault) return [];
  const [one] = batch;
  if (batch.length === 1)
    return [
      `${one?.read.event.type} ${JSON.stringify(one?.read.event.payload).slice(0, 300)}: ${(fault.cause as Error)?.message}`,
    ];
  const half = Math.ceil(batch.length / 2);
  return [...(await faults(batch.slice(0, half))), ...(await faults(batch.slice(half)))];
}

test('whatever can be read can be folded: nothing is left for the database to refuse', {
  timeout: 60_000,
}, async () => {
  const all = [...read()];
  expect(all.length).toBeGreaterThan(1_000);
  for (const batch of inBatches(all, [200])) expect(await faults(batch)).toEqual([]);
});

test('the longest names of everything at once can be folded', async () => {
  const longest = wide(100);
  const envelope = readEnvelope(
    {
      event_type: 'account.created.v1',
      id: longest,
      conv: longest,
      usr: longest,
      payload: JSON.stringify({
        account_id: longest,
        customer_id: longest,
        account_number: longest,
        application_number: longest,
      }),
    },
    rules.timeZone,
  );
  const event = envelope.ok ? readEvent(envelope.value, rules) : envelope;
  expect(event.ok && (await faults([{ source: 'test', read: event.value }]))).toEqual([]);
});

test('a batch of the events that are about the most aggregates has locks enough', async () => {
  const merges = Array.from({ length: 500 }, (_, n): Incoming => {
    const payload = {
      customer_id: `S${n}`,
      merged_customer_ids: Array.from({ length: 20 }, (_, m) => `S${n}-${m}`),
    };
    const envelope = readEnvelope(
      { event_type: 'customer.identity.merged.v1', id: `merge-${n}`, payload: JSON.stringify(payload) },
      rules.timeZone,
    );
    const event = envelope.ok ? readEvent(envelope.value, rules) : envelope;
    if (!event.ok) throw new Error(event.refusal);
    return { source: 'test', read: event.value };
  });
  expect(await fold(merges)).toBeUndefined();
});
