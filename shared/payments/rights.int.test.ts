import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import type { Role } from '../../drizzle/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { recordPayments } from './record-payments.ts';
import { acceptConflict, dismissConflict } from './resolve-conflict.ts';
import { newPayment } from './testing.ts';

let database: TestDatabase;
let owner: Pool;

const open = (url: string) => openPool({ url, min: 0, max: 1, applicationName: 'test', timeoutMs: 10_000 });
const denied = { name: 'DatabaseFault', sqlState: '42501', retryable: false };

beforeAll(async () => {
  database = await createTestDatabase();
  owner = open(database.url);
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

/** What a role may do with tables, columns and sequences, and which functions of ours it may call. */
async function rightsOf(role: Role) {
  const rows = await owner.query<{ object: string; rights: string[] }>(
    `select object, array_agg(distinct kind order by kind) as rights from (
       select c.oid::regclass::text as object, kind from pg_class c,
         unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']) as kind
       where relkind in ('r', 'p', 'v', 'm', 'f') and (has_table_privilege($1, c.oid, kind)
         or kind in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') and has_any_column_privilege($1, c.oid, kind))
         and relnamespace = any (select oid from ours)
       union all
       select c.oid::regclass::text, kind from pg_class c, unnest(array['USAGE', 'SELECT', 'UPDATE']) as kind
       where relkind = 'S' and has_sequence_privilege($1, c.oid, kind) and relnamespace = any (select oid from ours)
       union all
       select pronamespace::regnamespace || '.' || proname, 'EXECUTE' from pg_proc p
       where has_function_privilege($1, p.oid, 'EXECUTE') and pronamespace = any (select oid from ours)
         and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
     ) as held group by object`.replaceAll(
      'select oid from ours',
      `select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`,
    ),
    [role],
  );
  return Object.fromEntries(rows.map(({ object, rights }) => [object, rights]));
}

describe('the webhooks role', () => {
  test('may call what records and keeps, and has no right to anything else', async () => {
    expect(await rightsOf('recoup_webhooks')).toEqual({
      'payment_service.keep_notices': ['EXECUTE'],
      'payment_service.keep_rejected_bodies': ['EXECUTE'],
      'payment_service.record_failures': ['EXECUTE'],
      'payment_service.record_payments': ['EXECUTE'],
      'payment_service.reverse_payments': ['EXECUTE'],
      'servicing.keep_events': ['EXECUTE'],
    });
  });

  test('is turned away wherever it tries', async () => {
    const webhooks = open(database.urlFor('recoup_webhooks'));
    const recorded = await recordPayments(webhooks, [newPayment()]);
    expect(recorded).toMatchObject([{ outcome: 'created' }]);
    const tables = await owner.query<{ name: string }>(
      `select relnamespace::regnamespace || '.' || relname as name from pg_class where relkind in ('r', 'p')
       and relnamespace::regnamespace::text in ('payment_service', 'servicing', 'outbox', 'staff', 'operations', 'public')`,
    );
    expect(tables.length).toBeGreaterThan(8);
    for (const { name } of tables) {
      for (const statement of [
        `select * from ${name}`,
        `delete from ${name}`,
        `insert into ${name} default values`,
      ]) {
        await expect(webhooks.query(statement), statement).rejects.toMatchObject(denied);
      }
    }
    const decision = { conflictId: crypto.randomUUID(), reason: 'mine now', actor: 'test' };
    await expect(acceptConflict(webhooks, decision)).rejects.toMatchObject(denied);
    await expect(dismissConflict(webhooks, decision)).rejects.toMatchObject(denied);
    const call = `select payment_service.accept_conflict(gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', '')`;
    await expect(webhooks.query(call)).rejects.toMatchObject(denied);
    await webhooks.close();
  });
});

describe('the drain’s role', () => {
  test('may call the recording functions, keep what it cannot record, and tell that it lives', async () => {
    expect(await rightsOf('recoup_drain')).toEqual({
      'operations.heartbeats': ['DELETE', 'INSERT', 'SELECT', 'UPDATE'],
      'payment_service.buried_arrivals': ['INSERT', 'SELECT'],
      'payment_service.keep_notices': ['EXECUTE'],
      'payment_service.record_failures': ['EXECUTE'],
      'payment_service.record_payments': ['EXECUTE'],
      'payment_service.reverse_payments': ['EXECUTE'],
    });
  });
});

describe('posting’s role', () => {
  test('takes messages, keeps postings, and reads no payment', async () => {
    expect(await rightsOf('recoup_posting')).toEqual({
      'approvals.settle': ['EXECUTE'],
      'operations.heartbeats': ['DELETE', 'INSERT', 'SELECT', 'UPDATE'],
      'outbox.messages': ['DELETE', 'SELECT'],
      'outbox.undeliverable': ['INSERT', 'SELECT'],
      'payment_service.currency_exponent': ['EXECUTE'],
      'payment_service.post_again': ['EXECUTE'],
      // Of what became of a posting; never its amount, its payment or who was behind it.
      'posting.postings': ['INSERT', 'SELECT', 'UPDATE'],
      'servicing.loan_named': ['EXECUTE'],
    });
  });
});

describe('the projector’s role', () => {
  test('reaches the projections, the archive that it only adds to, and no payment', async () => {
    const rights = await rightsOf('recoup_projector');
    const all = ['DELETE', 'INSERT', 'SELECT', 'UPDATE'];
    expect(Object.keys(rights).filter((object) => !/^(servicing|operations)\./.test(object))).toEqual([]);
    expect(rights).toMatchObject({
      'operations.heartbeats': all,
      // The hash alone.
      'servicing.event_ids': ['INSERT', 'SELECT', 'UPDATE'],
      'servicing.events': ['INSERT', 'SELECT'],
      'servicing.subject_keys': ['INSERT', 'SELECT'],
      // Of a letter that is buried once more, the reason only.
      'servicing.dead_letters': ['INSERT', 'SELECT', 'UPDATE'],
      'servicing.inbox': ['DELETE', 'SELECT', 'UPDATE'],
      'servicing.customers': all,
      'servicing.loan_accounts': all,
    });
  });
});

describe('the API role', () => {
  test('may read payments, record, reverse and decide conflicts, and write nothing by itself', async () => {
    const rights = await rightsOf('recoup_api');
    const functions = Object.keys(rights).filter((object) => rights[object]?.includes('EXECUTE'));
    expect(functions.sort()).toEqual([
      'approvals.ask',
      'approvals.cancel',
      'approvals.decide',
      'audit.add',
      'audit.words',
      'notes.change_note',
      'notes.shown',
      'notes.write_note',
      'operations.keep_answer',
      'payment_service.accept_conflict',
      'payment_service.correct_staged',
      'payment_service.currency_exponent',
      'payment_service.decide_rejected_body',
      'payment_service.dismiss_conflict',
      'payment_service.keep_notices',
      'payment_service.payment_status',
      'payment_service.record_failures',
      'payment_service.record_payments',
      'payment_service.record_payments_once',
      'payment_service.release_staged',
      'payment_service.retry_notice',
      'payment_service.reverse_payments',
      'payment_service.reverse_payments_once',
      'posting.match_posting',
      'posting.move_payment',
      'servicing.decide_dead_letters',
      'servicing.decide_matching_dead_letters',
      'servicing.name_key',
      'servicing.name_words_of',
      'servicing.near_keys',
      'servicing.same_customers',
      'servicing.surviving_customer',
      'staff.find_session',
      'staff.touch_key',
      'staff.touch_session',
    ]);
    const onTables = Object.entries(rights).filter(([object]) => !functions.includes(object));
    expect(Object.fromEntries(onTables)).toMatchObject({ 'payment_service.payments': ['SELECT'] });
    // It adds to the audit trail, asks for runs of jobs, keeps views and limits; no other table is its to write.
    expect(onTables.filter(([, held]) => held.join() !== 'SELECT')).toEqual([
      ['approvals.limits', ['DELETE', 'INSERT', 'SELECT', 'UPDATE']],
      ['audit.entries', ['INSERT', 'SELECT']],
      ['operations.job_runs', ['INSERT', 'SELECT']],
      ['views.views', ['DELETE', 'INSERT', 'SELECT', 'UPDATE']],
    ]);
  });

  test('is turned away where it would write by itself', async () => {
    const api = open(database.urlFor('recoup_api'));
    for (const table of ['payments', 'payment_references', 'payment_conflicts', 'payment_reversals']) {
      expect(await api.query(`select * from payment_service.${table} limit 1`)).toBeInstanceOf(Array);
      const name = `payment_service.${table}`;
      const writes = [
        `delete from ${name}`,
        `update ${name} set amount = 1`,
        `truncate ${name}`,
        `insert into ${name} default values`,
      ];
      for (const write of writes) await expect(api.query(write), write).rejects.toMatchObject(denied);
    }
    await api.close();
  });
});

test('publishing again, taking a key and forgetting old ones are nothing that the edge may do', async () => {
  const rows = await owner.query<{ name: string; held: string[] | null }>(
    `select proname as name, array_agg(rolname::text order by rolname) filter (where has_function_privilege(r.oid, p.oid, 'EXECUTE')) as held
     from pg_proc p, pg_roles r
     where proname in ('publish_again', 'claim_key', 'remove_old_idempotency_keys') and rolname like 'recoup\\_%'
     group by proname order by proname`,
  );
  expect(rows).toEqual([
    { name: 'claim_key', held: null },
    { name: 'publish_again', held: null },
    { name: 'remove_old_idempotency_keys', held: ['recoup_ingest'] },
  ]);
});

test('the role that asks providers may claim notices and record, and see no rejected body', async () => {
  const rights = await rightsOf('recoup_ingest' as Role);
  expect(rights).toMatchObject({
    'payment_service.payment_notices': ['SELECT', 'UPDATE'],
    'payment_service.keep_notices': ['EXECUTE'],
    'payment_service.record_payments': ['EXECUTE'],
    'payment_service.remove_old_rejected_bodies': ['EXECUTE'],
  });
  expect(Object.keys(rights)).not.toContain('payment_service.rejected_bodies');
});

test('the auth role reaches staff and the audit trail that it only adds to, and no payment, customer or event', async () => {
  const rights = await rightsOf('recoup_auth');
  const others = Object.keys(rights).filter((object) => !/^(staff|audit)\./.test(object));
  expect(others).toEqual([]);
  expect(rights['audit.entries']).toEqual(['INSERT', 'SELECT']);
  expect(rights['staff.sign_in_attempts']).toBe(undefined);
  expect(rights['staff.known_devices']).toBe(undefined);
  expect(rights['staff.users']).not.toContain('DELETE');
});

test('the publisher’s role reaches messages, and what tells that it lives', async () => {
  const rights = await rightsOf('recoup_publisher');
  expect(Object.keys(rights).filter((object) => !/^(outbox|operations)\./.test(object))).toEqual([]);
});

test('no role owns anything, makes anything, or passes what protects rows', async () => {
  const able = await owner.query(
    `select rolname from pg_roles where rolname like 'recoup\\_%'
       and (rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication
         or has_database_privilege(rolname, current_database(), 'CREATE')
         or exists (select from pg_class where relowner = pg_roles.oid)
         or exists (select from pg_namespace n where nspname !~ '^pg_' and has_schema_privilege(rolname, n.oid, 'CREATE')))`,
  );
  expect(able).toEqual([]);
});
