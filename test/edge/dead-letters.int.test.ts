// Events that could not be folded, as staff have them read again or put them away, on every runtime.

import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buryEvents } from '../../shared/dead-letters/bury-events.ts';
import type { NewDeadLetter } from '../../shared/dead-letters/dead-letter.ts';
import { ask, expectProblem, read, write } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { useWorld } from './world.ts';

const path = '/api/v1/dead-letters';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let clerk: string;
  beforeAll(async () => {
    clerk = await world.newKey(['dead-letters:read', 'dead-letters:replay', 'dead-letters:discard']);
  });
  beforeEach(() => world.db.query('truncate servicing.dead_letters, servicing.inbox'));

  const get = (more = '') => read(world.edge, `${path}${more}`, clerk);
  const post = (more: string, body: unknown = {}) => write(world.edge, `${path}${more}`, clerk, body);
  async function bury(over: Partial<NewDeadLetter> = {}): Promise<string> {
    const entryId = randomUUID();
    const letter = {
      source: 'inbox:billie-servicing',
      entryId,
      eventId: 'E-1',
      type: 'account.created.v1',
      fields: { typ: 'account.created.v1', payload: '{"first_name":"Ada","loan_amount":10.10}' },
      reason: 'it names no account',
      stack: 'Error: it names no account\n    at fold',
      ...over,
    };
    await buryEvents(world.db, [letter]);
    const rows = await world.db.query<{ id: string }>(
      'select id from servicing.dead_letters where entry_id = $1',
      [entryId],
    );
    return rows[0]?.id as string;
  }
  const inboxed = async () =>
    (await world.db.query<{ source: string }>('select source from servicing.inbox order by position')).map(
      ({ source }) => source.replace('dead-letter:', ''),
    );

  test('what waits is listed without what events say; one letter is shown whole', async () => {
    const id = await bury();
    const other = await bury({ source: 'inbox', type: null, eventId: null, stack: null });
    const listed = await get();
    expect(listed.status, listed.text).toBe(200);
    const shown = {
      id,
      status: 'waiting',
      source: 'inbox:billie-servicing',
      entryId: expect.any(String),
      eventId: 'E-1',
      type: 'account.created.v1',
      reason: 'it names no account',
      buriedAt: expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/),
      decidedBy: null,
      decidedReason: null,
      decidedAt: null,
    };
    expect(listed.body.data).toEqual([expect.objectContaining({ id: other, type: null }), shown]);
    expect(listed.text).not.toContain('Ada');
    const whole = await get(`/${id}`);
    expect([whole.status, whole.body]).toEqual([
      200,
      {
        ...shown,
        fields: { typ: 'account.created.v1', payload: '{"first_name":"Ada","loan_amount":10.10}' },
        stack: 'Error: it names no account\n    at fold',
      },
    ]);
    expect((await get(`/${other}`)).body).toMatchObject({ stack: null });
  });

  test('a list is narrowed and paged', async () => {
    const ids = [await bury(), await bury({ type: 'x' }), await bury()];
    await bury({ source: 'inbox' });
    const first = await get('?source=inbox:billie-servicing&limit=2');
    expect(first.body.data.map(({ id }: { id: string }) => id)).toEqual([ids[2], ids[1]]);
    const after = encodeURIComponent(first.body.next);
    const second = await get(`?source=inbox:billie-servicing&limit=2&after=${after}`);
    expect([second.body.data.length, second.body.data[0].id, second.body.next]).toEqual([1, ids[0], null]);
    expect((await get('?type=x')).body.data).toMatchObject([{ id: ids[1] }]);
    expect((await get('?status=replayed')).body).toEqual({ data: [], next: null });
    expectProblem(await get('?status=open'), 400, 'invalid_query');
    expectProblem(await get('?after=x'), 400, 'invalid_query');
  });

  test('a letter is replayed once, and says by whom', async () => {
    const id = await bury();
    const replayed = await post(`/${id}/replay`);
    expect([replayed.status, replayed.body]).toEqual([200, { status: 'replayed' }]);
    expect(await inboxed()).toEqual([id]);
    expect((await get(`/${id}`)).body).toMatchObject({
      status: 'replayed',
      decidedBy: `key:${clerk.split('_')[1]}`,
      decidedReason: null,
    });
    const again = expectProblem(await post(`/${id}/replay`), 409, 'already_decided');
    expect(again.decision).toBe('replayed');
    const discarded = await post(`/${id}/discard`, { reason: 'too late' });
    expect(expectProblem(discarded, 409, 'already_decided').decision).toBe('replayed');
    expect(await inboxed()).toEqual([id]);
    expect((await get('?status=replayed')).body.data).toMatchObject([{ id }]);
  });

  test('a letter is discarded with a reason, and comes to nothing', async () => {
    const id = await bury();
    expect(expectProblem(await post(`/${id}/discard`), 422, 'invalid_request').errors).toMatchObject([
      { field: 'reason' },
    ]);
    expectProblem(await post(`/${id}/discard`, { reason: ' ' }), 422, 'invalid_request');
    const discarded = await post(`/${id}/discard`, { reason: 'a test event' });
    expect([discarded.status, discarded.body]).toEqual([200, { status: 'discarded' }]);
    expect((await get(`/${id}`)).body).toMatchObject({ status: 'discarded', decidedReason: 'a test event' });
    expect(expectProblem(await post(`/${id}/replay`), 409, 'already_decided').decision).toBe('discarded');
    expect(await inboxed()).toEqual([]);
  });

  test('several are decided at once; those that cannot be are told and hold up no other', async () => {
    const [first, second, third] = [await bury(), await bury(), await bury()];
    await post(`/${third}/discard`, { reason: 'x' });
    const unknown = randomUUID();
    const replayed = await post('/replay', { ids: [first, third, unknown, second] });
    expect([replayed.status, replayed.body]).toEqual([
      200,
      {
        replayed: 2,
        refused: [
          { id: third, code: 'already_decided', decision: 'discarded' },
          { id: unknown, code: 'not_found' },
        ],
        left: 0,
      },
    ]);
    expect(await inboxed()).toEqual([first, second]);
    const fourth = await bury();
    expect((await post('/discard', { ids: [fourth], reason: 'x' })).body).toEqual({
      discarded: 1,
      refused: [],
      left: 0,
    });
  });

  test('all that match a filter are decided, so many at a time, and what is left is told', async () => {
    await buryEvents(
      world.db,
      Array.from({ length: 501 }, (_, n) => ({
        source: 'inbox:billie-servicing',
        entryId: `${n}`,
        eventId: null,
        type: null,
        fields: {},
        reason: 'it names no type',
        stack: null,
      })),
    );
    const other = await bury();
    const filter = { source: 'inbox:billie-servicing', reasonPrefix: 'it names no type' };
    expect((await post('/replay', { filter })).body).toEqual({ replayed: 500, refused: [], left: 1 });
    expect((await post('/replay', { filter })).body).toEqual({ replayed: 1, refused: [], left: 0 });
    expect(await inboxed()).not.toContain(other);
    const past = { filter: { buriedBefore: '2020-01-01T00:00:00+01:00' }, reason: 'x' };
    expect((await post('/discard', past)).body).toMatchObject({ discarded: 0, left: 0 });
    const typed = { filter: { type: 'account.created.v1' }, reason: 'x' };
    expect((await post('/discard', typed)).body).toMatchObject({ discarded: 1, left: 0 });
  });

  test.each([
    ['neither ids nor filter', {}],
    ['both', { ids: [randomUUID()], filter: {} }],
    ['no ids', { ids: [] }],
    ['more than 500 ids', { ids: Array.from({ length: 501 }, () => randomUUID()) }],
    ['what is no id', { ids: ['7'] }],
    ['a filter whose name is mistyped', { filter: { sorce: 'inbox' } }],
    ['an empty source', { filter: { source: '' } }],
    ['a text that cannot be kept', { filter: { type: 'a\u0000' } }],
    ['a date alone', { filter: { buriedBefore: '2026-11-01' } }],
    ['no object', []],
  ])('asked with %s, nothing is decided', async (_, body) => {
    const id = await bury();
    expectProblem(await post('/replay', body), 422, 'invalid_request');
    const discarding = Array.isArray(body) ? body : { reason: 'x', ...body };
    expectProblem(await post('/discard', discarding), 422, 'invalid_request');
    expect((await get(`/${id}`)).body.status).toBe('waiting');
    expect(await inboxed()).toEqual([]);
  });

  test('without the permission, or for what does not exist, there is nothing', async () => {
    const id = await bury();
    const calls = [
      ['GET', '', 'dead-letters:read'],
      ['GET', `/${id}`, 'dead-letters:read'],
      ['POST', `/${id}/replay`, 'dead-letters:replay'],
      ['POST', `/${id}/discard`, 'dead-letters:discard'],
      ['POST', '/replay', 'dead-letters:replay'],
      ['POST', '/discard', 'dead-letters:discard'],
    ] as const;
    const all = ['dead-letters:read', 'dead-letters:replay', 'dead-letters:discard'] as const;
    const body = { reason: 'x', filter: {} };
    for (const [method, more, permission] of calls) {
      const others = await world.newKey([...all.filter((name) => name !== permission), 'payments:read']);
      const refused =
        method === 'GET'
          ? await read(world.edge, `${path}${more}`, others)
          : await write(world.edge, `${path}${more}`, others, body);
      expectProblem(refused, 404, 'not_found');
      expectProblem(await ask(`${world.edge.urls.api}${path}${more}`, { method }), 401, 'unauthenticated');
    }
    expect((await get(`/${id}`)).body.status).toBe('waiting');
    for (const nobody of [randomUUID(), '7']) {
      expectProblem(await get(`/${nobody}`), 404, 'not_found');
      expectProblem(await post(`/${nobody}/replay`), 404, 'not_found');
      expectProblem(await post(`/${nobody}/discard`, { reason: 'x' }), 404, 'not_found');
    }
  });

  test('the log tells how many were decided, and nothing of what events say', async () => {
    const id = await bury();
    await post(`/${id}/replay`);
    expect(world.edge.log()).toMatch(/"outcome":"replayed","decided":1,"refused":0/);
    expect(world.edge.log()).not.toContain('Ada');
  });
});
