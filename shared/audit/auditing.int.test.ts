import { beforeAll, beforeEach, expect, test } from 'vitest';
import { openNeonDoor } from '../../dev/doors/neon.ts';
import { openDatabase } from '../../workers/database.ts';
import { readCustomer } from '../read/customer.ts';
import { customerNamed } from '../read/resolve.ts';
import { useProjections } from '../read/testing.ts';
import { event } from '../servicing/testing.ts';
import { auditing } from './auditing.ts';
import type { NewEntry } from './entry.ts';
import { entriesOf } from './testing.ts';

const projections = useProjections();
const asker = {
  actor: 'user:ada',
  address: '192.0.2.7',
  requestId: 'request-0001',
  sessionId: '3c7d8a52-6f0b-4a3a-9d0e-0b8f6a1f2c11',
};
const reading = (name: string): NewEntry => ({
  action: 'customer.read',
  subject: { kind: 'customer', id: { by: name, sql: (text) => customerNamed(text) } },
  details: { route: '/customers' },
});
let before = 0n;
const newEntries = async () =>
  (await entriesOf(projections.owner, '')).filter(({ id }) => BigInt(id) > before);

beforeAll(() =>
  projections.fold(
    event('customer.created.v1', { customer_id: 'C1', cif: 'CIF-1', first_name: 'Ana', last_name: 'Ruiz' }),
    event('account.created.v1', { account_id: 'A1', account_number: 'N1', customer_id: 'C1' }),
    event('customer.created.v1', { customer_id: 'C2', first_name: 'Eve' }),
  ),
);
beforeEach(async () => {
  const [row] = await projections.owner.query<{ id: string }>(
    'select coalesce(max(id), 0) as id from audit.entries',
  );
  before = BigInt(row?.id ?? 0);
});

test.each(['C1', 'CIF-1', 'A1', 'N1'])(
  'whoever reads a customer by %s is written down with the customer and not with the name they used',
  async (name) => {
    const db = auditing(projections.api, asker, reading(name));
    expect(await readCustomer(db, name, '2026-03-15')).toMatchObject({
      customerId: 'C1',
      fullName: 'Ana Ruiz',
    });
    expect(await newEntries()).toEqual([
      {
        id: expect.any(String),
        actor: 'user:ada',
        action: 'customer.read',
        subject_kind: 'customer',
        subject_id: 'C1',
        before: null,
        after: null,
        details: { route: '/customers' },
        address: '192.0.2.7',
        request_id: 'request-0001',
        session_id: asker.sessionId,
      },
    ]);
  },
);

test('an attempt at somebody who is not there is written down, too', async () => {
  const db = auditing(projections.api, asker, reading('nobody'));
  expect(await readCustomer(db, 'nobody', '2026-03-15')).toBeUndefined();
  expect(await newEntries()).toMatchObject([{ action: 'customer.read', subject_id: null }]);
});

test('over HTTP it is one call, and gives the same rows as arrays', async () => {
  const door = await openNeonDoor({ port: 0 });
  try {
    const url = projections.apiUrl;
    const calls: string[] = [];
    const overHttp = openDatabase({ url, fetchEndpoint: `${door.url}/sql`, timeoutMs: 5_000 });
    const counted = {
      query: <Row extends object>(text: string, params?: readonly unknown[]) => {
        calls.push(text);
        return overHttp.query<Row>(text, params);
      },
      arrays: (text: string, params?: readonly unknown[]) => {
        calls.push(text);
        return overHttp.arrays(text, params);
      },
    };
    const db = auditing(counted, { actor: 'key:k1' }, reading('N1'));
    expect(await readCustomer(db, 'N1', '2026-03-15')).toMatchObject({ customerId: 'C1' });
    expect(
      await auditing(counted, { actor: 'key:k1' }, reading('C2')).arrays('select 1, $1::int', [2]),
    ).toEqual([[1, 2]]);
    expect(calls).toHaveLength(2);
  } finally {
    await door.close();
  }
  expect(await newEntries()).toMatchObject([
    { actor: 'key:k1', subject_id: 'C1', address: null, session_id: null },
    { actor: 'key:k1', subject_id: 'C2' },
  ]);
});

test('of a list the rows that were shown are written down, in their order and bounded', async () => {
  const text = `with all_of_them as (select customer_id as "customerId" from servicing.customers where customer_id <> $1)
    select "customerId", 7 as n from all_of_them order by 1 desc`;
  const entry: NewEntry = {
    action: 'customer.read',
    subject: { kind: 'customer', id: null },
    details: { q: 'a' },
  };
  const shown = { id: '"customerId"', atMost: 2 };
  expect(await auditing(projections.api, asker, entry, shown).query(text, ['none'])).toEqual([
    { customerId: 'C2', n: 7 },
    { customerId: 'C1', n: 7 },
  ]);
  expect(
    await auditing(projections.api, asker, entry, { ...shown, atMost: 1 }).arrays(text, ['none']),
  ).toEqual([
    ['C2', 7],
    ['C1', 7],
  ]);
  expect(await auditing(projections.api, asker, entry, shown).query(`${text} limit 0`, ['none'])).toEqual([]);
  expect((await newEntries()).map(({ details }) => details)).toEqual([
    { q: 'a', ids: ['C2', 'C1'] },
    { q: 'a', ids: ['C2'] },
    { q: 'a', ids: [] },
  ]);
});

test('recursive statements and those that begin with white space are read as they are', async () => {
  const text = `
    WITH RECURSIVE counted (n) as (select 1 union all select n + 1 from counted where n < $1) select sum(n)::int as sum from counted`;
  expect(await auditing(projections.api, asker, { action: 'test.read' }).query(text, [4])).toEqual([
    { sum: 10 },
  ]);
  expect(await newEntries()).toMatchObject([{ action: 'test.read', subject_kind: null, details: null }]);
});

test('a read that faults writes nothing, and what is no read is refused', async () => {
  const db = auditing(projections.api, asker, { action: 'test.read' });
  await expect(db.query('select 1 / (select count(*) - count(*) from servicing.customers)')).rejects.toThrow(
    '22012',
  );
  expect(() => db.query('delete from servicing.customers')).toThrow('begins with select or with');
  expect(await newEntries()).toEqual([]);
});

test('nothing that is read names who asks but the asker: their words are values, not SQL', async () => {
  const odd = { actor: `user:'; drop table x; --`, requestId: '$1' };
  await auditing(projections.api, odd, { action: 'test.read', subject: { kind: 'x', id: `'` } }).query(
    'select 1',
  );
  expect(await newEntries()).toMatchObject([{ actor: odd.actor, request_id: '$1', subject_id: `'` }]);
});
