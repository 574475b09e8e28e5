import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPool, type Pool } from '../containers/database.ts';
import { buryEvents } from '../shared/dead-letters/bury-events.ts';
import type { NewDeadLetter } from '../shared/dead-letters/dead-letter.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';

let database: TestDatabase;
let owner: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 1, applicationName: 'test', timeoutMs: 20_000 });
});
beforeEach(() => owner.query('truncate servicing.dead_letters, servicing.inbox'));
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const command = (...args: string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, 'dead-letters.ts'), ...args], {
    env: { ...process.env, DATABASE_URL: database.url },
    timeout: 60_000,
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      stdout,
      stderr,
    }),
  );

let entries = 0;
/** Buries them a second apart, and answers their ids in that order. */
async function bury(...given: Array<Partial<NewDeadLetter>>): Promise<string[]> {
  const letters = given.map((over) => ({
    source: 'inbox:billie-servicing',
    entryId: `${1000 + ++entries}-0`,
    eventId: 'E-1',
    type: 'account.created.v1',
    fields: { payload: '{"first_name":"Ada"}' },
    reason: 'it names no account',
    stack: null,
    ...over,
  }));
  await buryEvents(owner, letters);
  await owner.query(
    `update servicing.dead_letters set buried_at = timestamptz '2026-11-24T08:00:00Z' + make_interval(secs => substr(entry_id, 1, 4)::int)`,
  );
  const rows = await owner.query<{ id: string }>('select id from servicing.dead_letters order by entry_id');
  return rows.map(({ id }) => id);
}
const inboxed = async () =>
  (await owner.query<{ source: string }>('select source from servicing.inbox order by position')).map(
    ({ source }) => source.replace('dead-letter:', ''),
  );

test('what waits is listed as a table, newest first, without what events say', async () => {
  const [older, newer] = await bury(
    { reason: 'one\u001b[2J\nline' },
    { source: 'inbox', type: null, stack: 'Error: deep\n    at fold' },
  );
  const { code, stdout } = await command('list');
  expect(code).toBe(0);
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^ID +BURIED +SOURCE +TYPE +REASON$/);
  expect(lines[1]).toMatch(new RegExp(`^${newer} +2026-11-24T08:.+Z +inbox +- +it names no account$`));
  expect(lines[2]).toMatch(
    new RegExp(`^${older} +.+Z +inbox:billie-servicing +account.created.v1 +one \\[2J line$`),
  );
  expect(lines.slice(3)).toEqual(['waiting: 2', '']);
  expect(stdout).not.toContain('Ada');

  const shown = await command('show', newer as string);
  expect(shown.code).toBe(0);
  for (const part of ['"{\\"first_name\\":\\"Ada\\"}"', 'Error: deep\n    at fold', newer, 'waiting'])
    expect(shown.stdout).toContain(part);
  const narrowed = await command('list', '--source', 'inbox', '--limit', '1');
  expect(narrowed.stdout).toContain(newer);
  expect(narrowed.stdout).not.toContain(older);
  expect((await command('list', '--status', 'replayed')).stdout).toBe('waiting: 2\n');
  expect((await command('list', '--limit', '1')).stdout).toContain('older ones');
}, 120_000);

test('letters are replayed and discarded by id; what was decided or is not there is told, and exits 1', async () => {
  const [first, second, third] = (await bury({}, {}, {})) as [string, string, string];
  expect(await command('replay', first, second)).toEqual({ code: 0, stdout: 'replayed: 2\n', stderr: '' });
  expect(await inboxed()).toEqual([first, second]);
  const unknown = '00000000-0000-4000-8000-000000000000';
  expect(await command('discard', third, first, unknown, '--reason', 'a test')).toEqual({
    code: 1,
    stdout: 'discarded: 1\n',
    stderr: `${first}  was replayed before\n${unknown}  no such dead letter\n`,
  });
  const rows = await owner.query(
    'select id, status, decided_by, decided_reason from servicing.dead_letters order by entry_id',
  );
  const replayed = { status: 'replayed', decided_by: 'job:dead-letters', decided_reason: null };
  expect(rows).toEqual([
    { id: first, ...replayed },
    { id: second, ...replayed },
    { id: third, status: 'discarded', decided_by: 'job:dead-letters', decided_reason: 'a test' },
  ]);
  expect((await command('show', unknown)).code).toBe(1);
}, 120_000);

test('all that match are replayed, however many they are', async () => {
  await bury(...Array.from({ length: 1_201 }, () => ({})));
  const [, other, third] = (await bury({ source: 'inbox', reason: 'other' })).slice(-3) as [
    string,
    string,
    string,
  ];
  const source = ['--source', 'inbox:billie-servicing'];
  expect(await command('replay', '--all', ...source)).toEqual({
    code: 0,
    stdout: 'replayed: 1201\n',
    stderr: '',
  });
  expect(new Set(await inboxed()).size).toBe(1_201);
  expect(await inboxed()).toContain(other);
  expect(await command('discard', '--all', '--reason-prefix', 'oth', '--reason', 'x')).toMatchObject({
    code: 0,
    stdout: 'discarded: 1\n',
  });
  expect(await inboxed()).not.toContain(third);
  expect((await command('replay', '--all')).stdout).toBe('replayed: 0\n');
}, 120_000);

const id = '00000000-0000-4000-8000-000000000000';
test.each([
  ['nothing', [], /expected one of list, show, replay, discard/],
  ['an unknown command', ['constructor'], /expected one of/],
  ['ids beside --all', ['replay', id, '--all'], /either ids or --all/],
  ['neither', ['replay'], /either ids or --all/],
  ['what narrows beside ids', ['replay', id, '--type', 'x'], /go with --all/],
  ['an option of another command', ['replay', '--all', '--reason', 'x'], /--reason does not go with replay/],
  ['a mistyped option', ['replay', '--all', '--sorce', 'x'], /sorce/],
  ['no reason', ['discard', id], /--reason of 1 to 1000/],
  ['no UUID', ['show', '7'], /no id of a dead letter: 7/],
  ['an unknown status', ['list', '--status', 'open'], /--status expects/],
])(
  'asked with %s it does nothing and says how to ask',
  async (_, args, message) => {
    await bury({});
    const { code, stderr } = await command(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await inboxed()).toEqual([]);
  },
  60_000,
);
