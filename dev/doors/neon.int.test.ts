// The unmodified drivers against the Neon door and a real Postgres: what they promise in production holds here.

import { randomUUID } from 'node:crypto';
import { type HTTPTransactionOptions, NeonDbError, neon, neonConfig } from '@neondatabase/serverless';
import { eq, sql as raw } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/neon-http';
import { bigint, jsonb, numeric, pgTable, text } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Door } from './door.ts';
import { type NeonDoorOptions, openNeonDoor } from './neon.ts';
import { openTcpGate } from './tcp-gate.ts';

const name = `neon_door_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
const clerk = `${name}_clerk`;
let admin: pg.Client;
let door: Door;
let url: string;
let clerkUrl: string;

const seconds = (n: number) => ({ timeout: n * 1000 });

const withUser = (base: string, user: string, password: string) =>
  Object.assign(new URL(base), { username: user, password }).href;

/** For tests that need a door of their own; the driver finds doors through one global setting. */
async function throughDoor(options: Omit<NeonDoorOptions, 'port'>, work: () => Promise<void>): Promise<void> {
  const own = await openNeonDoor({ port: 0, ...options });
  const usual = neonConfig.fetchEndpoint;
  neonConfig.fetchEndpoint = `${own.url}/sql`;
  try {
    await work();
  } finally {
    neonConfig.fetchEndpoint = usual;
    await own.close();
  }
}

beforeAll(async () => {
  const server = new pg.Client(inject('postgresUrl'));
  await server.connect();
  await server.query(`create database ${name}`);
  await server.query(`create role ${clerk} login password 'clerk-secret'`);
  await server.end();
  url = Object.assign(new URL(inject('postgresUrl')), { pathname: `/${name}` }).href;
  clerkUrl = withUser(url, clerk, 'clerk-secret');
  admin = new pg.Client(url);
  await admin.connect();
  await admin.query(`
    create table account (id bigint primary key, name text not null, balance numeric, detail jsonb,
      constraint balance_positive check (balance >= 0));
    create table secret (id int);
    grant select, insert on account to ${clerk}`);
  door = await openNeonDoor({ port: 0, maxConnections: 10 });
  neonConfig.fetchEndpoint = `${door.url}/sql`;
});

afterAll(async () => {
  await door.close();
  await admin.end();
  const server = new pg.Client(inject('postgresUrl'));
  await server.connect();
  await server.query(`drop database ${name} with (force)`);
  await server.query(`drop role ${clerk}`);
  await server.end();
});

const post = (body: string, headers: Record<string, string> = {}) =>
  fetch(`${door.url}/sql`, {
    method: 'POST',
    body,
    headers: { 'neon-connection-string': url, 'neon-raw-text-output': 'true', ...headers },
  });

/** Of this file's database alone: other files share the server. */
const others = 'pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()';

const running = async (marker: string) => {
  const found = await admin.query(`select from ${others} and state = 'active' and query like $1`, [
    `%${marker}%`,
  ]);
  return found.rowCount ?? 0;
};

test('values arrive as the driver parses them in production', async () => {
  const sql = neon(url);
  const [row] = await sql`select ${'Ünïcode ☃ 😀'} as text, ${null}::text as nothing, ${true}::bool as yes,
    9223372036854775807::bigint as big, 12345678901234567890.123456789012345678::numeric as exact,
    ${{ a: [1, 'x', null] }}::jsonb as json, ${[1, 2, 3]}::int[] as numbers, ${['a"b', 'c,d', null]}::text[] as texts,
    ${new Date('2026-02-28T23:59:59.123Z')}::timestamptz as at, 1.5::float8 as half`;
  expect(row).toEqual({
    text: 'Ünïcode ☃ 😀',
    nothing: null,
    yes: true,
    big: '9223372036854775807',
    exact: '12345678901234567890.123456789012345678',
    json: { a: [1, 'x', null] },
    numbers: [1, 2, 3],
    texts: ['a"b', 'c,d', null],
    at: new Date('2026-02-28T23:59:59.123Z'),
    half: 1.5,
  });
});

test('bytes survive both ways', async () => {
  const sql = neon(url);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const [row] = await sql`select ${bytes}::bytea as bytes, length(${bytes}::bytea) as length`;
  expect(row!.length).toBe(256);
  expect(Buffer.compare(row!.bytes, bytes)).toBe(0);
});

test('fullResults tells fields, command and how many rows a write touched', async () => {
  const sql = neon(url, { fullResults: true });
  const inserted = await sql`insert into account (id, name) values (101, 'a'), (102, 'b'), (103, 'c')`;
  expect(inserted).toMatchObject({ command: 'INSERT', rowCount: 3, rows: [], fields: [] });
  const updated = await sql`update account set name = 'z' where id in (101, 102) returning id`;
  expect(updated).toMatchObject({ command: 'UPDATE', rowCount: 2, rows: [{ id: '101' }, { id: '102' }] });
  expect(updated.fields).toMatchObject([{ name: 'id', dataTypeID: 20, format: 'text' }]);
  expect(await sql`delete from account where id = 0`).toMatchObject({ command: 'DELETE', rowCount: 0 });
  expect(await sql`create table if not exists account (id int)`).toMatchObject({
    command: 'CREATE',
    rowCount: null,
  });
  expect(await sql`select * from secret`).toMatchObject({ rows: [], rowCount: 0, fields: [{ name: 'id' }] });
});

test('array mode keeps columns of the same name apart', async () => {
  const sql = neon(url, { arrayMode: true });
  expect(await sql`select 1 as a, 2 as a, null as b`).toEqual([[1, 2, null]]);
});

test('a caller without array mode gets objects of text', async () => {
  const answer = await post('{"query": "select 1 as a, null as b, $1::int as c", "params": [7]}');
  expect(await answer.json()).toMatchObject({ rowAsArray: false, rows: [{ a: '1', b: null, c: '7' }] });
});

test("an SQL error carries Postgres' own fields", async () => {
  const sql = neon(url);
  const broken = await sql`insert into account (id, name, balance) values (1, 'a', -1)`.catch(
    (e: unknown) => e,
  );
  expect(broken).toBeInstanceOf(NeonDbError);
  expect(broken).toMatchObject({
    code: '23514',
    severity: 'ERROR',
    constraint: 'balance_positive',
    table: 'account',
    schema: 'public',
    detail: expect.stringContaining('Failing row contains'),
    message: expect.stringContaining('violates check constraint'),
    routine: 'ExecConstraints',
    file: 'execMain.c',
    line: expect.stringMatching(/^\d+$/),
    hint: undefined,
  });
  const misspelt = sql`select nam from account`;
  await expect(misspelt).rejects.toMatchObject({
    code: '42703',
    position: '8',
    hint: expect.stringContaining('account.name'),
  });
  const notNull = sql`insert into account (id) values (1)`;
  await expect(notNull).rejects.toMatchObject({ code: '23502', column: 'name' });
  const inside = sql.query(`do $$ begin perform 1/0; end $$`);
  await expect(inside).rejects.toMatchObject({ code: '22012', where: expect.stringContaining('PL/pgSQL') });
});

test('a batch commits as one and answers each statement', async () => {
  const sql = neon(url);
  const [first, second, third] = await sql.transaction([
    sql`insert into account (id, name) values (201, 'batch') returning id`,
    sql`select count(*)::int as count from account where id = 201`,
    sql`select 1 as one where false`,
  ]);
  expect([first, second, third]).toEqual([[{ id: '201' }], [{ count: 1 }], []]);
  expect(await sql.transaction([])).toEqual([]);
});

test('a batch that fails leaves nothing behind and reports the first error', async () => {
  const sql = neon(url);
  const batch = sql.transaction([
    sql`insert into account (id, name) values (301, 'first')`,
    sql`insert into account (id, name) values (301, 'again')`,
    sql`insert into account (id, name) values (302, 'after')`,
  ]);
  await expect(batch).rejects.toMatchObject({ code: '23505', constraint: 'account_pkey' });
  expect(await sql`select id from account where id in (301, 302)`).toEqual([]);
});

test('a constraint checked at commit fails the batch', async () => {
  await admin.query('create table late (id int unique deferrable initially deferred)');
  const sql = neon(url);
  const batch = sql.transaction([sql`insert into late values (1)`, sql`insert into late values (1)`]);
  await expect(batch).rejects.toMatchObject({ code: '23505' });
  expect(await sql`select * from late`).toEqual([]);
});

test('a batch runs with the isolation, read-only and deferrable settings it asked for', async () => {
  const sql = neon(url, { arrayMode: true });
  const shown = async (options: HTTPTransactionOptions<true, false>) => {
    const settings = ['isolation', 'read_only', 'deferrable'].map((setting) =>
      sql.query(`show transaction_${setting}`),
    );
    return (await sql.transaction(settings, options)).flat(2);
  };
  expect(await shown({})).toEqual(['read committed', 'off', 'off']);
  expect(await shown({ isolationLevel: 'RepeatableRead' })).toEqual(['repeatable read', 'off', 'off']);
  const reading = { isolationLevel: 'ReadUncommitted', readOnly: true } as const;
  expect(await shown(reading)).toEqual(['read uncommitted', 'on', 'off']);
  const strictest = { isolationLevel: 'Serializable', readOnly: true, deferrable: true } as const;
  expect(await shown(strictest)).toEqual(['serializable', 'on', 'on']);
  const write = sql.transaction([sql`insert into account (id, name) values (401, 'x')`], { readOnly: true });
  await expect(write).rejects.toMatchObject({ code: '25006' });
});

test('the role of the connection string is the role in the database', async () => {
  const sql = neon(clerkUrl);
  expect(await sql`select current_user::text as user`).toEqual([{ user: clerk }]);
  await sql`insert into account (id, name) values (501, 'by clerk')`;
  await expect(sql`delete from account`).rejects.toMatchObject({ code: '42501' });
  await expect(sql`select * from secret`).rejects.toMatchObject({ code: '42501' });
  const wrong = neon(withUser(clerkUrl, clerk, 'wrong'));
  await expect(wrong`select 1`).rejects.toMatchObject({ code: '28P01' });
  const nowhere = neon(Object.assign(new URL(clerkUrl), { pathname: '/no_such_database' }).href);
  await expect(nowhere`select 1`).rejects.toMatchObject({ code: '3D000' });
});

test('two hundred calls at once are all answered, each with its own', async () => {
  const sql = neon(url);
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => sql`select ${i}::int as i, pg_backend_pid() as pid`),
  );
  expect(answers.map(([row]) => row!.i)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  expect(new Set(answers.map(([row]) => row!.pid)).size).toBeLessThanOrEqual(10);
});

test('two hundred batches at once never mix', async () => {
  const sql = neon(url);
  await admin.query('create table counter (n int); insert into counter values (0)');
  const batches = Array.from({ length: 200 }, () =>
    sql.transaction([sql`update counter set n = n + 1 returning n`, sql`select n from counter`]),
  );
  for (const [written, read] of await Promise.all(batches)) expect(written).toEqual(read);
  expect(await sql`select n from counter`).toEqual([{ n: 200 }]);
});

test('a statement whose table changed under it still works', async () => {
  const sql = neon(url);
  const everything = () => sql`select * from changing`;
  await admin.query('create table changing (a int); insert into changing values (1)');
  for (let i = 0; i < 10; i++) expect(await everything()).toEqual([{ a: 1 }]);
  await admin.query('alter table changing add column b text');
  for (let i = 0; i < 10; i++) expect(await everything()).toEqual([{ a: 1, b: null }]);
  await admin.query('alter table changing drop column a');
  const [first, second] = await sql.transaction([everything(), everything()]);
  expect([first, second]).toEqual([[{ b: null }], [{ b: null }]]);
});

test('what one call does to its session is gone in the next', () =>
  throughDoor({ maxConnections: 1 }, async () => {
    const sql = neon(url);
    await sql`set search_path = pg_catalog`;
    expect(await sql`show search_path`).toEqual([{ search_path: '"$user", public' }]);
    await sql`begin`;
    await sql`insert into account (id, name) values (601, 'not in that transaction')`;
    expect((await admin.query('select from account where id = 601')).rowCount).toBe(1);
    await sql.transaction([sql`set local statement_timeout = 1234`]);
    expect(await sql`show statement_timeout`).toEqual([{ statement_timeout: '0' }]);
  }));

test('statements prepared on a connection are bounded, and may vanish', seconds(30), () =>
  throughDoor({ maxConnections: 1 }, async () => {
    const sql = neon(url);
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    await sql`deallocate all`;
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    await sql.query('/* the door does not see it */ deallocate all');
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    for (let i = 0; i < 300; i++) await sql.query(`select ${i}`);
    const counted = await sql`select count(*)::int as prepared from pg_prepared_statements`;
    expect(counted[0]!.prepared).toBeGreaterThan(10);
    expect(counted[0]!.prepared).toBeLessThan(260);
  }),
);

test('a connection that Postgres ends is an SQL error, and is replaced', () =>
  throughDoor({ maxConnections: 1 }, async () => {
    const sql = neon(url);
    const ended = sql`select pg_terminate_backend(pg_backend_pid())`;
    await expect(ended).rejects.toMatchObject({ code: '57P01', severity: 'FATAL' });
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    await admin.query(`select pg_terminate_backend(pid) from ${others}`);
    await expect.poll(() => sql`select 1 as one`.catch(String), seconds(5)).toEqual([{ one: 1 }]);
  }));

test('statements that need to be alone run alone', async () => {
  const sql = neon(url);
  await sql`vacuum account`;
  await sql`do $$ begin perform 1; end $$`;
  expect(await sql`explain (costs off) select 1`).toEqual([{ 'QUERY PLAN': 'Result' }]);
  await expect(sql.query('select 1; select 2')).rejects.toMatchObject({ code: '42601' });
});

test('a call that is aborted stops in Postgres and gives its connection back', () =>
  throughDoor({ maxConnections: 1 }, async () => {
    const leaving = new AbortController();
    const sql = neon(url, { fetchOptions: { signal: leaving.signal } });
    const refused = expect(sql`select pg_sleep(60), 'abort-marker'`).rejects.toThrow('aborted');
    await expect.poll(() => running('abort-marker'), seconds(5)).toBe(1);
    const refusedWhileWaiting = expect(sql`select 'never-marker'`).rejects.toThrow('aborted');
    const waiting = neon(url)`select 2 as two`;
    leaving.abort();
    await Promise.all([refused, refusedWhileWaiting]);
    await expect.poll(() => running('abort-marker'), seconds(5)).toBe(0);
    expect(await waiting).toEqual([{ two: 2 }]);
  }));

test('a call that takes too long is answered and stopped', () =>
  throughDoor({ maxConnections: 1, callMs: 300 }, async () => {
    const sql = neon(url);
    const slow = sql.transaction([sql`select 1`, sql`select pg_sleep(60), 'late-marker'`]);
    await expect(slow).rejects.toThrow(/HTTP status 504.*no answer within 300 ms/);
    await expect.poll(() => running('late-marker'), seconds(5)).toBe(0);
    expect(await sql`select 2 as two`).toEqual([{ two: 2 }]);
  }));

test('an unreachable Postgres is told at once, and as something else than an SQL error', async () => {
  const gate = await openTcpGate({ host: '127.0.0.1', port: 1 });
  await gate.goAway();
  const sql = neon(Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(gate.port) }).href);
  const startedAt = performance.now();
  await expect(sql`select 1`).rejects.toThrow(/HTTP status 503.*Postgres is unreachable: .*ECONNREFUSED/);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('a Postgres that goes away, falls silent or comes back is noticed', seconds(30), async () => {
  const { hostname, port } = new URL(url);
  const gate = await openTcpGate({ host: hostname, port: Number(port || 5432) });
  const throughGate = Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(gate.port) }).href;
  const sql = neon(throughGate);
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  const cut = expect(sql`select pg_sleep(60), 'cut-marker'`).rejects.toThrow('503');
  await expect.poll(() => running('cut-marker'), seconds(5)).toBe(1);
  await gate.goAway();
  await cut;
  await expect(sql`select 1`).rejects.toThrow('503');
  await gate.comeBack();
  expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
  gate.fallSilent();
  const newcomer = neon(`${throughGate}?application_name=newcomer`);
  await expect(newcomer`select 1`).rejects.toThrow(/HTTP status 503.*timeout/);
  await gate.goAway();
});

test('connection strings have pools of their own, bounded in number', seconds(30), async () => {
  const named = (i: number) => neon(`${url}?application_name=pool-${i}`);
  for (let i = 0; i < 40; i++) {
    expect(await named(i)`select current_setting('application_name') as own`).toEqual([{ own: `pool-${i}` }]);
  }
  const open = () => admin.query(`select from ${others} and application_name like 'pool-%'`);
  await expect.poll(async () => (await open()).rowCount, seconds(5)).toBeLessThanOrEqual(32);
  await admin.query('select pg_advisory_lock(1)');
  const held = Array.from({ length: 32 }, (_, i) => named(i)`select pg_advisory_xact_lock_shared(1)`);
  const busy = Promise.all(held);
  await expect.poll(() => running('xact_lock_shared'), seconds(10)).toBe(32);
  await expect(named(33)`select 1`).rejects.toThrow(/HTTP status 503.*no room for another/);
  await admin.query('select pg_advisory_unlock(1)');
  await busy;
});

test('requests that make no sense are refused with a reason', async () => {
  const refusals: [string, Record<string, string>, RegExp][] = [
    ['{', {}, /not JSON/],
    ['null', {}, /a statement must be/],
    ['{"query": 1}', {}, /a statement must be/],
    ['{"query": "select 1", "params": "x"}', {}, /a statement must be/],
    ['{"queries": {}}', {}, /must be an array/],
    ['{"queries": [{}]}', {}, /a statement must be/],
    ['{"queries": []}', { 'neon-batch-isolation-level': 'Chaos' }, /isolation level/],
    ['{"query": "copy account to stdout"}', {}, /COPY/],
    ['{"query": "select 1"}', { 'neon-connection-string': 'mysql://a@b/c' }, /postgresql:/],
    ['{"query": "select 1"}', { 'neon-connection-string': '' }, /postgresql:/],
    ['{"query": "select 1"}', { 'neon-raw-text-output': 'false' }, /text only/],
    ['{"query": "select 1"}', { authorization: 'Bearer x' }, /not tokens/],
    [JSON.stringify({ query: 'select 1', params: new Array(65_536).fill('1') }), {}, /65535 parameters/],
  ];
  for (const [body, headers, reason] of refusals) {
    const answer = await post(body, headers);
    expect([body.slice(0, 60), answer.status]).toEqual([body.slice(0, 60), 400]);
    expect(await answer.json()).toMatchObject({ message: expect.stringMatching(reason) });
  }
  expect((await fetch(`${door.url}/sql`)).status).toBe(404);
  expect((await fetch(`${door.url}/other`, { method: 'POST', body: '{}' })).status).toBe(404);
  const tooBig = await post(JSON.stringify({ query: 'select 1', params: ['x'.repeat(17 * 1024 * 1024)] }));
  expect([tooBig.status, await tooBig.text()]).toEqual([413, expect.stringContaining('larger than')]);
});

test('text that Postgres cannot hold is an SQL error, and the connection lives on', async () => {
  const sql = neon(url);
  await expect(sql`select ${'a\0b'}::text`).rejects.toMatchObject({ code: '22021' });
  await expect(sql.query("select 'a\0b'")).rejects.toMatchObject({ code: '08P01' });
  const megabytes = 'x'.repeat(5 * 1024 * 1024);
  const [row] = await sql`select ${megabytes}::text as text`;
  expect(row!.text === megabytes).toBe(true);
});

test('drizzle works on top, batches included', async () => {
  const account = pgTable('account', {
    id: bigint({ mode: 'bigint' }).primaryKey(),
    name: text().notNull(),
    balance: numeric(),
    detail: jsonb(),
  });
  const db = drizzle(neon(url));
  const row = {
    id: 9007199254740993n,
    name: "O'Brien",
    balance: '0.000000000000000001',
    detail: { tags: ['a'] },
  };
  expect(await db.insert(account).values(row).returning()).toEqual([row]);
  expect(await db.select().from(account).where(eq(account.id, row.id))).toEqual([row]);
  const [updated, counted] = await db.batch([
    db
      .update(account)
      .set({ name: 'renamed' })
      .where(eq(account.id, row.id))
      .returning({ name: account.name }),
    db.select({ n: raw<number>`count(*)::int` }).from(account).where(eq(account.name, 'renamed')),
  ]);
  expect([updated, counted]).toEqual([[{ name: 'renamed' }], [{ n: 1 }]]);
  const duplicate = db.insert(account).values(row);
  await expect(duplicate).rejects.toMatchObject({ cause: { code: '23505', constraint: 'account_pkey' } });
});
