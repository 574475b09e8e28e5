// The trail as auditors read it, among many entries: each filter alone and together, pages without a gap, reports, and
// by indexes.

import { beforeAll, expect, test } from 'vitest';
import type { Database } from '../database.ts';
import { type AuditFilter, type AuditPlace, readAuditEntries } from './audit.ts';
import { type ReportFilter, type ReportName, readReport, reportNames } from './audit-reports.ts';
import { useProjections } from './testing.ts';

const projections = useProjections();
const many = 30_000;
const began = Date.parse('2026-01-01T00:00:00Z');
/** Of the nth entry; every ten share an instant. */
const timeOf = (n: number) => new Date(began + Math.floor(n / 10) * 60_000);

beforeAll(async () => {
  await projections.owner.query(
    `insert into audit.entries (at, actor, action, subject_kind, subject_id, before, after, details, address, request_id)
     select timestamptz '2026-01-01T00:00:00Z' + make_interval(mins => n / 10), 'user:person-' || n % 500,
       case n % 100 when 0 then 'sign_in.failed' when 1 then 'sign_in.locked' when 2 then 'user_role.created'
         when 3 then 'customer.read' when 4 then 'audit.read' else 'payment.created' end,
       case n % 100 when 0 then 'user' when 1 then 'user' when 2 then 'user_role' when 3 then 'customer' when 4 then null else 'payment' end,
       case when n % 100 = 3 and n % 200 = 3 then null else 'S' || n end, null,
       case n % 100 when 2 then '{"role": "agent"}'::jsonb end,
       case when n % 100 = 0 then '{"because": "wrong_password"}'::jsonb
            when n % 200 = 3 then jsonb_build_object('ids', jsonb_build_array('C' || n, 'C-both')) end,
       '192.0.2.' || n % 250, 'request-' || n
     from generate_series(1, ${many}) n`,
  );
  // Without entries of their own.
  await projections.owner.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(
      `insert into staff.api_keys (prefix, hash, name, scopes, actor, created_at, expires_at, revoked_at, revoked_by, last_used_at)
     values ('unused', '\\x01', 'never used', array['payments:read'], 'user:root', now() - interval '200 days', null, null, null, null),
            ('old', '\\x02', 'once', array['payments:read', 'audit:read'], 'user:root', now() - interval '300 days', null, null, null, now() - interval '100 days'),
            ('used', '\\x03', 'used', array['payments:read'], 'user:root', now() - interval '300 days', null, null, null, now()),
            ('new', '\\x04', 'new', array['payments:read'], 'user:root', now(), null, null, null, null),
            ('gone', '\\x05', 'gone', array['payments:read'], 'user:root', now() - interval '300 days', null, now(), 'user:root', null),
            ('ended', '\\x06', 'ended', array['payments:read'], 'user:root', now() - interval '300 days', now() - interval '1 day', null, null, null)`,
    );
  });
  await projections.owner.query('analyze audit.entries');
});

const ids = async (filter: AuditFilter, limit = 100) =>
  (await readAuditEntries(projections.api, filter, undefined, limit)).rows.map(({ id }) => Number(id));

test('the newest come first, whole, and pages have no gap though many share an instant', async () => {
  const seen: number[] = [];
  let after: AuditPlace | undefined;
  for (let n = 0; n < 5; n++) {
    const { rows, next } = await readAuditEntries(projections.api, {}, after, 7);
    seen.push(...rows.map(({ id }) => Number(id)));
    after = next;
  }
  expect(seen).toEqual(Array.from({ length: 35 }, (_, n) => many - n));
  const { rows, next } = await readAuditEntries(projections.api, { requestId: 'request-102' }, undefined, 5);
  expect(next).toBeUndefined();
  expect(rows).toEqual([
    {
      id: '102',
      at: timeOf(102).toISOString(),
      actor: 'user:person-102',
      action: 'user_role.created',
      subjectKind: 'user_role',
      subjectId: 'S102',
      before: null,
      after: { role: 'agent' },
      details: null,
      address: '192.0.2.102',
      requestId: 'request-102',
      sessionId: null,
      seal: null,
    },
  ]);
});

test('each filter narrows, and they narrow together', async () => {
  expect(await ids({ actor: 'user:person-7' }, 3)).toEqual([29_507, 29_007, 28_507]);
  expect(await ids({ action: 'sign_in.' }, 4)).toEqual([30_000, 29_901, 29_900, 29_801]);
  expect(await ids({ action: 'sign_in.locked' }, 2)).toEqual([29_901, 29_801]);
  expect(await ids({ action: '%' })).toEqual([]);
  expect(await ids({ subjectKind: 'payment', subjectId: 'S77' })).toEqual([77]);
  expect(await ids({ address: '192.0.2.9' }, 2)).toEqual([29_759, 29_509]);
  expect(await ids({ from: timeOf(50), until: timeOf(60) })).toEqual([
    59, 58, 57, 56, 55, 54, 53, 52, 51, 50,
  ]);
  expect(
    await ids({ from: timeOf(0), until: timeOf(1_000), actor: 'user:person-1', action: 'sign_in' }),
  ).toEqual([501, 1]);
  expect(await ids({ from: timeOf(many + 100) })).toEqual([]);
});

test.each([
  ['request-17171', 17_171],
  ['S4242 payment', 4_242],
  ['WRONG_password person-400', 29_900],
])('any words find it: %j', async (q, expected) => {
  expect(await ids({ q }, 200)).toContain(expected);
});

test('words that no entry has together find nothing, and what is asked is not a language', async () => {
  expect(await ids({ q: 'S4242 wrong_password' })).toEqual([]);
  expect(await ids({ q: `S4242' | !payment & (x)` })).toEqual([]);
  expect(await ids({ q: 's4242 | payment' })).toEqual([4_242]);
});

const report = (name: ReportName, filter: Partial<ReportFilter> = {}, limit = 3, after?: AuditPlace) =>
  readReport(projections.api, name, { days: 90, ...filter }, after, limit);

test('reports say who failed to sign in, was locked out, got a role, and read whom', async () => {
  expect((await report('failed-sign-ins', { subject: 'S300' })).rows).toEqual([
    {
      at: timeOf(300).toISOString(),
      username: 'S300',
      reason: 'wrong_password',
      address: '192.0.2.50',
      requestId: 'request-300',
    },
  ]);
  expect((await report('lockouts')).rows.map(({ username }) => username)).toEqual([
    'S29901',
    'S29801',
    'S29701',
  ]);
  expect((await report('role-changes', { actor: 'user:person-102' }, 1)).rows).toMatchObject([
    {
      actor: 'user:person-102',
      action: 'user_role.created',
      subject: 'S29602',
      before: null,
      after: '{"role": "agent"}',
    },
  ]);
  expect((await report('customer-reads', {}, 2)).rows).toMatchObject([
    { actor: 'user:person-403', customer: 'S29903' },
    { actor: 'user:person-303', customer: 'C29803 C-both' },
  ]);
  expect((await report('customer-reads', { subject: 'C29803' })).rows).toHaveLength(1);
  expect(
    (await report('customer-reads', { subject: 'C-both', until: timeOf(450) })).rows.map(
      ({ customer }) => customer,
    ),
  ).toEqual(['C403 C-both', 'C203 C-both', 'C3 C-both']);
});

test('keys that are live and unused are told, and no others', async () => {
  const { rows } = await report('unused-keys', {}, 10);
  expect(rows).toEqual([
    {
      lastUsedAt: expect.stringMatching(/Z$/),
      prefix: 'old',
      name: 'once',
      scopes: 'payments:read audit:read',
      createdAt: expect.stringMatching(/Z$/),
      createdBy: 'user:root',
      expiresAt: null,
    },
    expect.objectContaining({ lastUsedAt: null, prefix: 'unused' }),
  ]);
  expect((await report('unused-keys', { days: 150 })).rows).toHaveLength(1);
  const first = await report('unused-keys', {}, 1);
  expect((await report('unused-keys', {}, 1, first.next)).rows).toMatchObject([{ prefix: 'unused' }]);
});

test.each(reportNames)('pages of %s have no gap', async (name) => {
  const all = (await report(name, {}, 1_000)).rows;
  const paged: unknown[] = [];
  for (let after: AuditPlace | undefined, more = true; more; ) {
    const { rows, next } = await report(name, {}, 40, after);
    paged.push(...rows);
    after = next;
    more = next !== undefined;
  }
  expect(paged).toEqual(all);
  expect(all.length).toBeGreaterThan(1);
});

const reads: Record<string, (db: Database) => Promise<unknown>> = {
  'the newest': (db) => readAuditEntries(db, {}, undefined, 50),
  'a page far back': (db) => readAuditEntries(db, {}, { at: timeOf(900).toISOString(), id: '900' }, 50),
  'those of a person': (db) => readAuditEntries(db, { actor: 'user:person-7' }, undefined, 50),
  'those of an action': (db) => readAuditEntries(db, { action: 'sign_in.locked' }, undefined, 50),
  'those of one thing': (db) =>
    readAuditEntries(db, { subjectKind: 'payment', subjectId: 'S77' }, undefined, 50),
  'those of a request': (db) => readAuditEntries(db, { requestId: 'request-17' }, undefined, 50),
  'those of an address': (db) => readAuditEntries(db, { address: '192.0.2.9' }, undefined, 50),
  'those of a day': (db) => readAuditEntries(db, { from: timeOf(50), until: timeOf(60) }, undefined, 50),
  'those with a word': (db) => readAuditEntries(db, { q: 'S4242' }, undefined, 50),
  ...Object.fromEntries(
    reportNames
      .filter((name) => name !== 'unused-keys')
      .map((name) => [
        `the report ${name}`,
        (db: Database) => readReport(db, name, { days: 90 }, undefined, 50),
      ]),
  ),
};

test.each(Object.entries(reads))('%s: the trail is not read whole', async (_, read) => {
  const plans: string[] = [];
  const query: Database['query'] = async (text, params = []) => {
    const rows = await projections.api.query<{ 'QUERY PLAN': string }>(`explain ${text}`, params);
    plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
    return projections.api.query(text, params);
  };
  await read({ query, arrays: projections.api.arrays });
  expect(plans).toHaveLength(1);
  expect(plans[0]).not.toContain('Seq Scan on entries');
});
