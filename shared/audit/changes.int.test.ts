// What people, keys and commands change is in the trail: who, what, from where, before and after. And nothing that the
// API's roles can change is forgotten.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import type { TransactionalDatabase } from '../database.ts';
import { buryEvents } from '../dead-letters/bury-events.ts';
import { discardDeadLetters } from '../dead-letters/discard-dead-letters.ts';
import { replayDeadLetters } from '../dead-letters/replay-dead-letters.ts';
import { requestJob } from '../operations/request-job.ts';
import { recordPayments } from '../payments/record-payments.ts';
import { acceptConflict, dismissConflict } from '../payments/resolve-conflict.ts';
import { reversePayments } from '../payments/reverse-payments.ts';
import { newPayment, newReversal } from '../payments/testing.ts';
import { createApiKey } from '../staff/create-key.ts';
import { revokeApiKey } from '../staff/revoke-key.ts';
import { correctStaged, releaseStaged } from '../staging/correct-staged.ts';
import { askedBy } from './asker.ts';
import { entriesOf } from './testing.ts';

let database: TestDatabase;
let owner: Pool;
let api: Pool;
/** The API's, asked by a person; the owner's, asked by a command. */
let asked: TransactionalDatabase;
let commanded: TransactionalDatabase;
const asker = { actor: 'user:ada', address: '192.0.2.7', requestId: 'request-0001' };
const byAda = { actor: 'user:ada', address: '192.0.2.7', request_id: 'request-0001', session_id: null };

beforeAll(async () => {
  database = await createTestDatabase();
  const open = (url: string) => openPool({ url, min: 0, max: 2, applicationName: 'test', timeoutMs: 20_000 });
  owner = open(database.url);
  api = open(database.urlFor('recoup_api'));
  asked = askedBy(api, asker);
  commanded = askedBy(owner, { actor: 'job:test' });
});
afterAll(async () => {
  await Promise.all([owner.close(), api.close()]);
  await database.drop();
});
beforeEach(() =>
  owner.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query('truncate audit.entries');
  }),
);
const entries = () => entriesOf(owner, '', 20_000);

test('payments and reversals of staff are noted, those of others are not', async () => {
  const byStaff = newPayment({ source: 'api', actor: 'user:ada', metadata: '{"name": "Ana"}' });
  const byWebhook = newPayment();
  await recordPayments(asked, [byStaff, byWebhook]);
  await recordPayments(asked, [byStaff]);
  await reversePayments(asked, [newReversal(byWebhook)], { keepRefused: false });
  await reversePayments(asked, [newReversal(byStaff, { source: 'api', reason: 'paid twice' })], {
    keepRefused: false,
  });
  // Nothing is left: refused and not kept.
  await reversePayments(asked, [newReversal(byStaff, { source: 'api' })], { keepRefused: false });
  expect(await entries()).toMatchObject([
    {
      ...byAda,
      action: 'payment.created',
      subject_kind: 'payment',
      subject_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      before: null,
      after: { reference_number: byStaff.referenceNumber, amount: 100.5, currency: 'EUR', metadata: '***' },
    },
    {
      ...byAda,
      action: 'payment_reversal.created',
      after: {
        reference_number: byStaff.referenceNumber,
        status: 'applied',
        applied_amount: 100.5,
        reason: 'paid twice',
      },
    },
  ]);
});

test('a payment that is put back or moved is not noted as recorded', async () => {
  const payment = newPayment({
    source: 'api',
    paymentDate: new Date('2019-05-05T00:00:00Z'),
    paidOn: '2019-05-05',
  });
  await recordPayments(asked, [payment]);
  await owner.query('create temporary table kept as select * from payment_service.payments');
  await owner.query('delete from payment_service.payments');
  await commanded.query('insert into payment_service.payments select * from kept');
  await commanded.query(`select payment_service.add_month('2019-05-01', false, 5000)`);
  await owner.query('drop table kept');
  expect((await entries()).map(({ action }) => action)).toEqual(['payment.created']);
});

test('decisions about conflicts are noted, conflicts that come are not', async () => {
  const [first, second, third] = [1_000n, 2_000n, 3_000n].map((amountMinor) =>
    newPayment({ referenceNumber: 'CONFLICT-1', amount: { amountMinor, currency: 'EUR' } }),
  );
  await recordPayments(asked, [first as never]);
  await recordPayments(asked, [second as never, third as never]);
  const ids = (
    await owner.query<{ id: string }>('select id from payment_service.payment_conflicts order by amount')
  ).map(({ id }) => id);
  expect(await entries()).toEqual([]);
  await acceptConflict(asked, { conflictId: ids[0] as string, reason: null, actor: 'user:ada' });
  await dismissConflict(asked, { conflictId: ids[1] as string, reason: 'a mistake', actor: 'user:ada' });
  await dismissConflict(asked, { conflictId: ids[1] as string, reason: 'again', actor: 'user:ada' });
  expect(await entries()).toMatchObject([
    {
      ...byAda,
      action: 'payment_conflict.changed',
      subject_id: ids[0],
      before: { status: 'open' },
      after: { status: 'accepted' },
    },
    { ...byAda, subject_id: ids[1], after: { status: 'dismissed', reason: 'a mistake' } },
  ]);
});

test('corrections and releases of staged rows are noted, one entry each', async () => {
  const rows = await owner.query<{ id: string }>(
    `insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, processed, processed_at, outcome, reason, metadata)
     select 'S-' || n, 'LN-1', 'CIF-1', -1, now(), true, now(), 'quarantined', 'invalid', '{"name": "Ana"}' from generate_series(1, 3) n
     returning id`,
  );
  const [id] = rows.map((row) => row.id) as [string];
  await correctStaged(asked, {
    id,
    changes: { amount: '5', metadata: '{"name": "Eve"}' },
    note: 'a typo',
    actor: 'user:ada',
  });
  await releaseStaged(asked, { ids: null, reason: null, note: null, actor: 'user:ada' });
  expect(await entries()).toMatchObject([
    {
      ...byAda,
      action: 'staged_row.corrected',
      subject_kind: 'staged_row',
      subject_id: id,
      before: { amount: -1, metadata: '***' },
      after: { amount: '5', metadata: '***' },
      details: { note: 'a typo' },
    },
    ...rows.map((row) => ({ ...byAda, action: 'staged_row.released', subject_id: row.id })),
  ]);
});

test('notices, rejected bodies and buried arrivals are noted when somebody decides about them', async () => {
  await owner.query(
    `insert into payment_service.payment_notices (channel, notice_reference, subject, payload, standing, actor)
     values ('bank', 'N-1', 's', '{}', false, 'channel:bank')`,
  );
  await owner.query(
    `insert into payment_service.rejected_bodies (channel, body_hash, body, masked, altered, refusal, request_id)
     values ('bank', 'h', 'Ana', false, false, '{}', 'r')`,
  );
  await owner.query(
    `insert into payment_service.buried_arrivals (stream, entry_id, arrival, reason) values ('accepted', '1-0', 'Ana', 'odd')`,
  );
  await owner.query('update payment_service.payment_notices set attempts = 1');
  await owner.query('update payment_service.rejected_bodies set times_seen = 2');
  expect(await entries()).toEqual([]);
  await asked.query(
    `select payment_service.retry_notice(id, 'user:ada') from payment_service.payment_notices`,
  );
  await asked.query(
    `select payment_service.decide_rejected_body(id, 'resent', null, 'Eve', 'user:ada') from payment_service.rejected_bodies`,
  );
  await commanded.query('update payment_service.buried_arrivals set replayed_at = now()');
  expect(await entries()).toMatchObject([
    { ...byAda, action: 'payment_notice.changed', after: { retried_by: 'user:ada' } },
    {
      ...byAda,
      action: 'rejected_body.changed',
      before: { status: 'open' },
      after: { status: 'resent', resent_body: '***' },
    },
    { actor: 'job:test', action: 'buried_arrival.changed', subject_id: '1-0' },
  ]);
  expect(JSON.stringify(await entries())).not.toMatch(/Ana|Eve/);
});

test('requests of jobs, keys, erasures and rebuilds are noted with whoever asked', async () => {
  await requestJob(asked, { job: 'cleanup', actor: 'user:ada' });
  await requestJob(asked, { job: 'cleanup', actor: 'user:ada' });
  const { prefix } = await createApiKey(commanded, {
    name: 'k',
    scopes: ['payments:read'],
    expiresAt: null,
    actor: 'job:test',
  });
  await revokeApiKey(commanded, { prefix, actor: 'job:test' });
  await commanded.query(
    `insert into servicing.erasures (customer_id, subjects, events, reason, requested_by) values ('C1', 1, 2, 'asked to', 'mary')`,
  );
  await commanded.query(`insert into servicing.rebuilds (projection) values ('customers')`);
  await commanded.query(`update servicing.rebuilds set done_up_to = 'x', events = 5`);
  await commanded.query(`update servicing.rebuilds set finished_at = now()`);
  expect(await entries()).toMatchObject([
    { ...byAda, action: 'job_run.created', subject_id: 'cleanup' },
    {
      actor: 'job:test',
      action: 'api_key.created',
      subject_id: prefix,
      after: { scopes: ['payments:read'] },
    },
    { actor: 'job:test', action: 'api_key.changed', subject_id: prefix, after: { revoked_by: 'job:test' } },
    {
      actor: 'job:test',
      action: 'erasure.created',
      subject_kind: 'customer',
      subject_id: 'C1',
      after: { requested_by: 'mary' },
    },
    { actor: 'job:test', action: 'rebuild.created', subject_id: 'customers' },
    {
      actor: 'job:test',
      action: 'rebuild.changed',
      subject_id: 'customers',
      after: { finished_at: expect.any(String) },
    },
  ]);
});

describe('dead letters', () => {
  const bury = (count: number, source: string) =>
    buryEvents(
      owner,
      Array.from({ length: count }, (_, n) => ({
        source,
        entryId: `${n}-0`,
        eventId: `E-${n}`,
        type: 'account.created.v1',
        fields: { payload: '{"first_name":"Ana"}' },
        reason: 'it names no account',
        stack: null,
      })),
    );

  test('that are decided are noted each, without what they say', async () => {
    await bury(2, 'a');
    await discardDeadLetters(asked, { filter: { source: 'a' } }, { reason: 'of no use', actor: 'user:ada' });
    await discardDeadLetters(asked, { filter: { source: 'a' } }, { reason: 'of no use', actor: 'user:ada' });
    const letter = {
      ...byAda,
      action: 'dead_letter.discarded',
      before: { status: 'waiting' },
      after: { status: 'discarded', decided_reason: 'of no use' },
      details: { source: 'a', type: 'account.created.v1' },
    };
    expect(await entries()).toMatchObject([letter, letter]);
    expect(JSON.stringify(await entries())).not.toContain('Ana');
  });

  test('by the ten thousand are noted in seconds', async () => {
    await bury(10_000, 'b');
    const startedAt = performance.now();
    for (let left = 1; left > 0; ) {
      ({ left } = await replayDeadLetters(asked, { filter: { source: 'b' } }, { actor: 'user:ada' }));
    }
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(await entries()).toHaveLength(10_000);
  }, 60_000);
});

// Of each table and kind of change that needs no entry, why.
const withoutEntry: Record<string, string> = {
  'approvals.done_alone INSERT': 'a count; what was done is a transfer of the ledger, with who did it',
  'operations.idempotency_keys INSERT':
    'what a request has done under its key is noted with what it has done',
  'operations.idempotency_keys UPDATE': 'as above',
  'operations.idempotency_keys DELETE': 'of one under which nothing was done',
  'outbox.messages INSERT': 'tells others what the noted tables say',
  'payment_service.payment_conflicts INSERT': 'its own record of what came in; nobody has decided anything',
  'payment_service.payment_failures INSERT':
    'its own record of what came in by a body that staff sent again, which is noted',
  'payment_service.payment_notices INSERT': 'its own record of what came in',
  'payment_service.payment_references INSERT': 'comes with its payment',
  'payment_service.payment_references UPDATE': 'comes with its reversal',
  'payment_service.payment_reversals UPDATE': 'follows from its payment or from its insertion',
  'payment_service.payment_reversals DELETE': 'of one that was refused, in the transaction that inserted it',
  'posting.postings INSERT': 'comes with its move',
  'public.payment_staging UPDATE': 'comes with its row of staging_changes',
  'servicing.inbox INSERT': 'comes with its dead letter',
  'staff.identities INSERT': 'sign_in.succeeded is written with it, or session.ended',
  'staff.identities UPDATE': 'when somebody was seen; as above',
  'staff.known_devices DELETE': 'marks of devices say that somebody signed in there, which is noted',
  'staff.known_devices INSERT': 'sign_in.succeeded is written with it',
  'staff.known_devices UPDATE': 'as above',
  'staff.sign_in_attempts INSERT': 'a count; sign_in.failed and sign_in.locked are written with it',
  'staff.sign_in_attempts UPDATE': 'as above',
  'staff.totp DELETE': 'totp.removed is written with it',
  'staff.totp INSERT': 'what is begun is no second factor yet',
  'staff.totp UPDATE': 'totp.enrolled is written with it; the last step used is no change',
  'staff.passwords INSERT': 'comes with its user, and what is in it is secret',
  'staff.passwords UPDATE': 'password.changed is written with it',
  'staff.refresh_tokens INSERT': 'token.refreshed and sign_in.succeeded are written with it',
  'staff.refresh_tokens UPDATE': 'token.refreshed and token.reused are written with it',
  'staff.sessions INSERT': 'sign_in.succeeded is written with it',
  'staff.sessions UPDATE': 'session.ended is written with it; its last use is no change',
};

test('whatever the roles of the API can change is noted, or has its reason here', async () => {
  const changes = await owner.query<{ role: string; name: string; kind: string }>(
    `select role, c.oid::regclass::text as name, kind
     from unnest(array['recoup_api', 'recoup_auth']) role, unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) kind, pg_class c
     where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
       and (has_table_privilege(role, c.oid, kind)
            or kind in ('INSERT', 'UPDATE') and has_any_column_privilege(role, c.oid, kind))`,
  );
  const functions = await owner.query<{
    schema: string;
    name: string;
    text: string;
    path: string | null;
    open: boolean;
  }>(
    `select pronamespace::regnamespace::text as schema, proname as name, pg_get_functiondef(p.oid) as text,
       (select substring(c from 'search_path=([a-z_]+)') from unnest(proconfig) c where c like 'search_path=%') as path,
       has_function_privilege('recoup_api', p.oid, 'execute') or has_function_privilege('recoup_auth', p.oid, 'execute') as open
     from pg_proc p where prokind = 'f' and pronamespace::regnamespace::text in
       (select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)' and nspname <> 'drizzle')
       and prolang in (select oid from pg_language where lanname in ('sql', 'plpgsql'))`,
  );
  const tables = new Set(
    (await owner.query<{ name: string }>(`select schemaname || '.' || tablename as name from pg_tables`)).map(
      ({ name }) => name,
    ),
  );
  const found = new Set<string>(
    changes.map(({ name, kind }) => `${name.includes('.') ? name : `public.${name}`} ${kind}`),
  );
  // What functions change that the roles may call, and those that these call.
  const seen = new Set(functions.filter(({ open }) => open));
  expect(seen.size).toBeGreaterThan(15);
  const written: [RegExp, string][] = [
    [/\binsert\s+into\s+([a-z_.]+)/g, 'INSERT'],
    [/\binsert\s+into\s+([a-z_.]+)(?:(?!insert\s+into)[^;])*\bdo\s+update\b/g, 'UPDATE'],
    [/(?<!\b(?:do|for|key)\s+)\bupdate\s+([a-z_.]+)/g, 'UPDATE'],
    [/\bdelete\s+from\s+([a-z_.]+)/g, 'DELETE'],
    [/\btruncate\s+(?:table\s+)?([a-z_.]+)/g, 'TRUNCATE'],
  ];
  for (const one of seen) {
    const text = one.text.replace(/--.*$/gm, '').toLowerCase();
    for (const [pattern, kind] of written) {
      for (const [, name = ''] of text.matchAll(pattern)) {
        const table = name.includes('.') ? name : `${one.path ?? one.schema}.${name}`;
        if (tables.has(table)) found.add(`${table} ${kind}`);
      }
    }
    for (const other of functions) if (text.includes(`${other.name}(`)) seen.add(other);
  }
  expect(found).toContain('servicing.dead_letters UPDATE');
  expect(found).toContain('payment_service.payments INSERT');

  const noted = await owner.query<{ table: string; kind: string }>(
    `select n.nspname || '.' || c.relname as table, kind from pg_trigger t
     join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
     join pg_proc p on p.oid = t.tgfoid,
     (values ('INSERT', 4), ('DELETE', 8), ('UPDATE', 16)) as kinds (kind, bit)
     where p.pronamespace = 'audit'::regnamespace and p.proname like 'note%' and t.tgenabled = 'O' and t.tgtype & bit <> 0`,
  );
  const covered = new Set(noted.map(({ table, kind }) => `${table} ${kind}`));
  const open = [...found].filter(
    (change) => !change.startsWith('audit.') && !covered.has(change) && !Object.hasOwn(withoutEntry, change),
  );
  expect(open.sort()).toEqual([]);
  // A reason for what nobody can do is none.
  expect(Object.keys(withoutEntry).filter((change) => !found.has(change))).toEqual([]);
});
