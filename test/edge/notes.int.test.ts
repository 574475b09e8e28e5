// Notes about customers as staff write and read them.

import { beforeAll, describe, expect, test } from 'vitest';
import { entriesOf } from '../../shared/audit/testing.ts';
import { foldInto } from '../../shared/read/testing.ts';
import { event } from '../../shared/servicing/testing.ts';
import { type Answer, ask, expectProblem } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let supervisor: TestPerson;
  let agent: TestPerson;
  let operator: TestPerson;

  beforeAll(async () => {
    supervisor = await world.newPerson(['supervisor'], 'north');
    agent = await world.newPerson(['agent'], 'north');
    operator = await world.newPerson(['operations']);
    const made = ['C1', 'C/2 ü', 'M1', 'M2'].map((customer_id) =>
      event('customer.created.v1', { customer_id, first_name: 'Ana', last_name: 'Ruiz' }),
    );
    await foldInto(world.db, made);
  });

  const call = (
    method: string,
    path: string,
    by: TestPerson,
    { body, headers }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer> =>
    ask(`${world.edge.urls.api}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${by.accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const write = (customer: string, by: TestPerson, body: object, headers: Record<string, string> = {}) =>
    call('POST', `/customers/${encodeURIComponent(customer)}/notes`, by, { body, headers });
  const from = (version: number | string) => ({ 'if-match': `"${version}"` });

  test('a note is written, amended, pinned and put back, each from the version that was looked at', async () => {
    const made = await write('C/2 ü', agent, { text: 'card 4111 1111 1111 1111, pays Friday' });
    expect(made.status, made.text).toBe(201);
    const path = `/notes/${made.body.id}`;
    expect(made.headers.get('location')).toBe(`/api/v1${path}`);
    expect(made.headers.get('etag')).toBe('"1"');
    expect(made.body.texts[0].text).not.toContain('4111 1111 1111');
    const body = { text: 'did not pay' };
    const amended = await call('POST', `${path}/amendments`, agent, { body, headers: from(1) });
    expect(amended.headers.get('etag')).toBe('"2"');
    expect(amended.body.texts.map(({ writtenBy }: { writtenBy: string }) => writtenBy)).toEqual([
      `user:${agent.username}`,
      `user:${agent.username}`,
    ]);
    const pinned = await call('PUT', `${path}/pin`, supervisor, { headers: from(2) });
    expect(pinned.body).toMatchObject({ pinned: true, version: 3 });
    const back = await call('DELETE', `${path}/pin`, supervisor, { headers: from(3) });
    expect(back.body).toMatchObject({ pinned: false, version: 4 });
    const read = await call('GET', path, agent);
    expect(read.body).toEqual(back.body);
    expect(read.headers.get('etag')).toBe('"4"');
  });

  test('the second of two editors gets both versions; without a version nobody changes anything', async () => {
    const { body: note } = await write('C1', supervisor, { text: 'first' });
    const path = `/notes/${note.id}`;
    const wanted = { text: 'second' };
    const asked = () => call('POST', `${path}/amendments`, supervisor, { body: wanted, headers: from(1) });
    const answers = await Promise.all([asked(), asked()]);
    const done = answers.find(({ status }) => status === 200);
    const late = answers.find(({ status }) => status !== 200) as Answer;
    expect(expectProblem(late, 412, 'changed_meanwhile')).toMatchObject({ present: done?.body, wanted });
    expect(late.headers.get('etag')).toBe('"2"');
    const unpinned = await call('DELETE', `${path}/pin`, supervisor, { headers: from('abc') });
    expect(expectProblem(unpinned, 412, 'changed_meanwhile').wanted).toEqual({ pinned: false });
    const without = [
      call('POST', `${path}/amendments`, supervisor, { body: wanted }),
      call('PUT', `${path}/pin`, supervisor),
      call('DELETE', `${path}/pin`, supervisor, { headers: { 'if-match': '*' } }),
    ];
    for (const answer of await Promise.all(without)) expectProblem(answer, 428, 'version_required');
  });

  test('sent again under its key it is the same note', async () => {
    const headers = { 'idempotency-key': 'note-1' };
    const [one, two] = await Promise.all([1, 2].map(() => write('C1', agent, { text: 'once' }, headers)));
    expect([one?.status, two?.status]).toEqual([201, 201]);
    expect(one?.body).toEqual(two?.body);
    expect([one, two].map((a) => a?.headers.get('idempotency-replayed')).toSorted()).toEqual([null, 'true']);
    expectProblem(await write('C1', agent, { text: 'other' }, headers), 422, 'idempotency_key_reused');
    expect((await write('C1', supervisor, { text: 'once' }, headers)).body.id).not.toBe(one?.body.id);
    expectProblem(
      await write('C1', agent, { text: 'x' }, { 'idempotency-key': 'ä' }),
      422,
      'invalid_request',
    );
  });

  test('notes of several customers who turn out to be one are read by any of their names', async () => {
    await write('M1', agent, { text: 'of the first' });
    await write('M2', agent, { text: 'of the second', pinned: true });
    await foldInto(world.db, [
      event('customer.identity.merged.v1', { surviving_customer_id: 'M2', merged_customer_id: 'M1' }),
    ]);
    for (const name of ['M1', 'M2']) {
      const { body } = await call('GET', `/customers/${name}/notes?limit=1`, agent);
      expect(body.data).toMatchObject([{ customerId: 'M2', texts: [{ text: 'of the second' }] }]);
      const next = await call('GET', `/customers/${name}/notes?limit=1&after=${body.next}`, agent);
      expect(next.body).toMatchObject({ data: [{ texts: [{ text: 'of the first' }] }], next: null });
    }
    const foreign = await call('GET', '/customers/M1/notes?after=xyz', agent);
    expectProblem(foreign, 400, 'invalid_query');
  });

  test('who may not see people sees no text; who may is in the audit trail', async () => {
    const { body: note } = await write('C1', supervisor, { text: 'Ana is ill' });
    for (const path of ['/customers/C1/notes', `/notes/${note.id}`]) {
      const hidden = await call('GET', path, operator);
      expect(hidden.status).toBe(200);
      expect(hidden.text).not.toContain('Ana');
      const before = (await entriesOf(world.db, 'customer.read')).length;
      expect((await call('GET', path, agent)).text).toContain('Ana is ill');
      const after = await entriesOf(world.db, 'customer.read');
      expect(after).toHaveLength(before + 1);
      expect(after.at(-1)).toMatchObject({
        actor: `user:${agent.username}`,
        subject_kind: 'customer',
        subject_id: 'C1',
      });
    }
  });

  test('who may not write, or not this note, is told that there is none', async () => {
    expectProblem(await write('C1', operator, { text: 'x' }), 404, 'not_found');
    expectProblem(await write('nobody', agent, { text: 'x' }), 404, 'not_found');
    const { body: note } = await write('C1', supervisor, { text: 'not of an agent' });
    const body = { text: 'x' };
    const asked = { body, headers: from(1) };
    expectProblem(await call('POST', `/notes/${note.id}/amendments`, agent, asked), 404, 'not_found');
    expectProblem(await call('PUT', `/notes/${note.id}/pin`, agent, { headers: from(1) }), 404, 'not_found');
    for (const bad of [
      { text: '' },
      { text: 'x'.repeat(4_001) },
      { text: 'a\0b' },
      { text: 'x', by: 'y' },
      {},
    ]) {
      expectProblem(await write('C1', agent, bad), 422, 'invalid_request');
    }
  });
});
