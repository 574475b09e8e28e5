// Sealing under what may happen to it: long transactions, two sealers, a sealer that dies, another cluster; and what
// verifying finds when somebody with every right changes the trail.

import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { type Head, parseHead, written } from './chain.ts';
import { note } from './note.ts';
import { sealEntries } from './seal-entries.ts';
import { type Verified, verifyTrail } from './verify.ts';

let database: TestDatabase;
let owner: Pool;
let ingest: Pool;
let api: Pool;

const open = (url: string, max = 4) =>
  openPool({ url, min: 0, max, applicationName: 'test', timeoutMs: 20_000 });

beforeAll(async () => {
  database = await createTestDatabase();
  owner = open(database.url);
  ingest = open(database.urlFor('recoup_ingest'));
  api = open(database.urlFor('recoup_api'));
});
afterAll(async () => {
  await Promise.all([owner.close(), ingest.close(), api.close()]);
  await database.drop();
});

/** Past every trigger, as only a superuser can. */
async function behindOurBack(...statements: string[]): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    for (const statement of statements) await tx.query(statement);
  });
}
beforeEach(() => behindOurBack('truncate audit.entries, audit.seals, audit.unsealed restart identity'));

const add = (...names: string[]) =>
  owner.transaction(async (tx) => {
    for (const name of names)
      await note(tx, { action: 'test.done', subject: { kind: 'thing', id: name }, details: { n: 1.5 } });
  });
const sealed = async () =>
  (
    await owner.query<{ subject_id: string }>(
      'select e.subject_id from audit.seals s join audit.entries e on e.id = s.entry_id order by s.position',
    )
  ).map(({ subject_id }) => subject_id);
const verified = (expected?: Head): Promise<Verified> => verifyTrail(api, { expected, checked: () => {} });
async function sealAll(): Promise<void> {
  // Other sessions of the cluster have transactions, too.
  await expect.poll(() => sealEntries(ingest, 1_000).then(async () => (await verified()).unsealed)).toBe(0);
}
const broken = async () => (await verified()).broken;

test('an empty trail is whole', async () => {
  expect(await sealEntries(ingest, 10)).toBe(0);
  expect(await verified()).toEqual({ head: undefined, unsealed: 0, broken: undefined });
});

test('entries are sealed in order, a bounded number at a time', async () => {
  await add('a', 'b', 'c');
  await expect.poll(() => sealEntries(ingest, 2)).toBe(2);
  expect(await verified()).toMatchObject({ head: { position: 2 }, unsealed: 1, broken: undefined });
  await sealAll();
  expect(await sealed()).toEqual(['a', 'b', 'c']);
  expect(await verified()).toEqual({
    head: { position: 3, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    unsealed: 0,
    broken: undefined,
  });
});

test('what a long transaction has written before others is sealed before them, however late it commits', async () => {
  const blocker = Promise.withResolvers<void>();
  const isWritten = Promise.withResolvers<void>();
  const long = owner.transaction(async (tx) => {
    await note(tx, { action: 'test.done', subject: { kind: 'thing', id: 'long' } });
    isWritten.resolve();
    await blocker.promise;
  });
  await isWritten.promise;
  await add('short');
  expect(await sealEntries(ingest, 10)).toBe(0);
  expect(await verified()).toMatchObject({ unsealed: 1, broken: undefined });
  blocker.resolve();
  await long;
  await sealAll();
  expect(await sealed()).toEqual(['long', 'short']);
});

test('what is rolled back leaves no gap', async () => {
  await add('a');
  const undone = owner.transaction(async (tx) => {
    await note(tx, { action: 'test.done', subject: { kind: 'thing', id: 'undone' } });
    throw new Error('no');
  });
  await expect(undone).rejects.toThrow('no');
  await add('b');
  await sealAll();
  expect(await sealed()).toEqual(['a', 'b']);
  expect(await verified()).toMatchObject({ head: { position: 2 }, broken: undefined });
});

test('two sealers and many writers make one chain without a gap', async () => {
  let writing = true;
  const sealer = async () => {
    while (writing) await sealEntries(ingest, 7);
  };
  const sealers = [sealer(), sealer()];
  const names = Array.from({ length: 120 }, (_, n) => `n${n}`);
  await Promise.all(
    [0, 1, 2].map(async (part) => {
      for (const name of names.filter((_, n) => n % 3 === part)) await add(name, `${name}-again`);
    }),
  );
  writing = false;
  await Promise.all(sealers);
  await sealAll();
  expect((await sealed()).sort()).toEqual(names.flatMap((name) => [name, `${name}-again`]).sort());
  expect(await verified()).toMatchObject({ head: { position: 240 }, unsealed: 0, broken: undefined });
});

test('a sealer that is killed before it commits has sealed nothing, and the next one goes on', async () => {
  await add('a', 'b');
  const client = new pg.Client({ connectionString: database.urlFor('recoup_ingest') });
  client.on('error', () => {});
  await client.connect();
  await expect
    .poll(async () => {
      await client.query('rollback; begin');
      return (await client.query('select audit.seal(1) as sealed')).rows[0].sealed;
    })
    .toBe(1);
  // While it holds the lock, another one has nothing to do.
  expect(await sealEntries(ingest, 10)).toBe(0);
  const { rows } = await client.query('select pg_backend_pid() as pid');
  await owner.query('select pg_terminate_backend($1)', [rows[0].pid]);
  await client.end().catch(() => {});
  expect(await sealed()).toEqual([]);
  await sealAll();
  expect(await sealed()).toEqual(['a', 'b']);
  expect(await broken()).toBeUndefined();
});

test('entries that came with a copy from another cluster are sealed, and so is what follows with lower transaction ids', async () => {
  await owner.query(
    `insert into audit.entries (transaction_id, actor, action, subject_id)
     select (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000)::text::xid8, 'user:ada', 'test.done', 'foreign' || n
     from generate_series(1, 2) n`,
  );
  await sealAll();
  expect(await sealed()).toEqual(['foreign1', 'foreign2']);
  await add('later');
  await sealAll();
  expect(await sealed()).toEqual(['foreign1', 'foreign2', 'later']);
  expect(await verified()).toMatchObject({ head: { position: 3 }, broken: undefined });
});

describe('of a trail of five', () => {
  let head: Head;
  beforeEach(async () => {
    await add('1', '2', '3', '4', '5');
    await sealAll();
    head = (await verified()).head as Head;
  });

  test('nobody changes anything, not even its owner', async () => {
    for (const table of ['entries', 'seals']) {
      await expect(owner.query(`delete from audit.${table}`)).rejects.toMatchObject({ sqlState: '42501' });
      await expect(owner.query(`truncate audit.${table}`)).rejects.toMatchObject({ sqlState: '42501' });
    }
    await expect(owner.query(`update audit.entries set actor = 'x'`)).rejects.toMatchObject({
      sqlState: '42501',
    });
    await expect(owner.query(`update audit.seals set position = 9`)).rejects.toMatchObject({
      sqlState: '42501',
    });
    await expect(api.query('select audit.seal(1)')).rejects.toMatchObject({ sqlState: '42501' });
    await expect(ingest.query('select from audit.entries')).rejects.toMatchObject({ sqlState: '42501' });
  });

  test('a change of any column is found where it is', async () => {
    const columns = await owner.query<{ name: string; type: string }>(
      `select attname as name, format_type(atttypid, null) as type from pg_attribute
       where attrelid = 'audit.entries'::regclass and attnum > 0 and not attisdropped`,
    );
    expect(columns.length).toBeGreaterThan(12);
    const other: Record<string, string> = {
      bigint: '77',
      xid8: `'1'`,
      jsonb: `'{"n": 1.50}'`,
      'timestamp with time zone': `at + interval '1 microsecond'`,
      uuid: 'gen_random_uuid()',
    };
    for (const { name, type } of columns) {
      // The entry's number is how its seal finds it.
      if (name === 'id') continue;
      const value = name === 'action' ? `'test.other'` : (other[type] ?? `'other'`);
      await behindOurBack(
        'create table audit.kept as select * from audit.entries',
        `update audit.entries set ${name} = ${value} where id = 3`,
      );
      expect(await broken(), name).toEqual({ kind: 'changed', position: 3, entryId: '3' });
      await behindOurBack(
        `update audit.entries e set ${name} = k.${name} from audit.kept k where k.id = e.id`,
        'drop table audit.kept',
      );
      expect(await broken(), name).toBeUndefined();
    }
  });

  test('an entry that is gone, has another number, or was put in is found', async () => {
    await behindOurBack(
      'alter table audit.entries alter id set generated by default',
      'update audit.entries set id = 100 where id = 2',
    );
    expect(await broken()).toEqual({ kind: 'entry_missing', position: 2, entryId: '2' });
    await behindOurBack('update audit.entries set id = 2 where id = 100');
    await behindOurBack(
      `insert into audit.entries (actor, action, at) values ('user:eve', 'test.done', now() - interval '1 year')`,
    );
    expect(await broken()).toMatchObject({ kind: 'put_in' });
    await behindOurBack(
      `delete from audit.entries where actor = 'user:eve'`,
      'delete from audit.entries where id = 4',
    );
    expect(await broken()).toEqual({ kind: 'entry_missing', position: 4, entryId: '4' });
  });

  test('a seal that is gone, moved or made anew is found', async () => {
    await behindOurBack('delete from audit.seals where position = 2');
    expect(await broken()).toEqual({ kind: 'seal_missing', position: 2 });
    await behindOurBack('update audit.seals set position = position - 1 where position > 2');
    expect(await broken()).toMatchObject({ kind: 'changed', position: 2, entryId: '3' });
  });

  test('an entry that is changed with its own seal breaks the chain at the next', async () => {
    await behindOurBack(
      `update audit.entries set actor = 'user:eve' where id = 2`,
      `update audit.seals s set hash = sha256((select hash from audit.seals where position = 1) || convert_to(audit.canonical(e), 'UTF8'))
       from audit.entries e where e.id = 2 and s.position = 2`,
    );
    expect(await broken()).toEqual({ kind: 'changed', position: 3, entryId: '3' });
  });

  test('seals that are cut off leave entries without any', async () => {
    await behindOurBack('delete from audit.seals where position > 3');
    expect(await broken()).toEqual({ kind: 'put_in', entryId: '4' });
  });

  test('an end that is cut off with its entries shows against a head that was kept', async () => {
    expect(await verified(head)).toEqual({ head, unsealed: 0, broken: undefined });
    await behindOurBack(
      'delete from audit.seals where position > 3',
      'delete from audit.entries where id > 3',
    );
    expect(await broken()).toBeUndefined();
    expect((await verified(head)).broken).toEqual({ kind: 'not_as_expected', position: 5 });
    await add('6', '7', '8');
    await sealAll();
    expect(await broken()).toBeUndefined();
    expect((await verified(head)).broken).toEqual({ kind: 'not_as_expected', position: 5 });
  });

  test('a kept head stays good while the trail grows', async () => {
    await add('6');
    await sealAll();
    const { head: grown, broken: found } = await verified(head);
    expect(grown?.position).toBe(6);
    expect(found).toBeUndefined();
    expect(parseHead(written(head))).toEqual(head);
  });

  test('an entry that vanishes before it is sealed is found', async () => {
    await add('6');
    await behindOurBack(`delete from audit.entries where subject_id = '6'`);
    expect(await broken()).toMatchObject({ kind: 'unsealed_missing' });
  });
});
