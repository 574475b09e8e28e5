// Saved views over HTTP.

import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, ask, expectProblem } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { type TestPerson, useWorld } from './world.ts';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let supervisor: TestPerson;
  let agent: TestPerson;
  beforeAll(async () => {
    supervisor = await world.newPerson(['supervisor'], 'north');
    agent = await world.newPerson(['agent'], 'north');
  });

  const call = (method: string, path: string, by: TestPerson, body?: unknown, version?: number) =>
    ask(`${world.edge.urls.api}/api/v1/views${path}`, {
      method,
      headers: {
        authorization: `Bearer ${by.accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const content = { name: 'Counter', list: 'payments', query: { channel: 'counter' } };
  const names = ({ body }: Answer) => body.data.map(({ name }: { name: string }) => name);

  test('a view is saved, read, shared, changed and removed', async () => {
    const saved = await call('POST', '', supervisor, content);
    expect(saved.status, saved.text).toBe(201);
    expect(saved.headers.get('etag')).toBe('"1"');
    expect(saved.body).toMatchObject({
      ...content,
      owner: `user:${supervisor.username}`,
      sharedWith: 'nobody',
    });
    const path = `/${saved.body.id}`;
    expect(saved.headers.get('location')).toBe(`/api/v1/views${path}`);
    expect(names(await call('GET', '', agent))).toEqual([]);
    expectProblem(await call('GET', path, agent), 404, 'not_found');

    const shared = await call('PUT', path, supervisor, { ...content, sharedWith: 'team' }, 1);
    expect(shared.body).toMatchObject({ sharedWith: 'team', version: 2 });
    expect((await call('GET', path, agent)).body).toEqual(shared.body);
    expect(names(await call('GET', '?list=payments', agent))).toEqual(['Counter']);
    expect(names(await call('GET', '?list=accounts', agent))).toEqual([]);
    expectProblem(await call('PUT', path, agent, content, 2), 404, 'not_found');
    expectProblem(await call('DELETE', path, agent, undefined, 2), 404, 'not_found');
    const late = await call('PUT', path, supervisor, content, 1);
    expect(expectProblem(late, 412, 'changed_meanwhile')).toMatchObject({
      present: shared.body,
      wanted: content,
    });
    expectProblem(await call('PUT', path, supervisor, content), 428, 'version_required');
    expectProblem(await call('DELETE', path, supervisor), 428, 'version_required');
    expectProblem(await call('POST', '', supervisor, content), 409, 'name_taken');

    expect((await call('DELETE', path, supervisor, undefined, 2)).status).toBe(204);
    expectProblem(await call('GET', path, supervisor), 404, 'not_found');
  });

  test('what is not a view of a list is refused, every fault named', async () => {
    const refused = async (changes: object) => {
      const answer = await call('POST', '', agent, { ...content, ...changes });
      return expectProblem(answer, 422, 'invalid_request').errors.map(
        ({ field }: { field: string }) => field,
      );
    };
    expect(await refused({ name: ' ', list: 'users' })).toEqual(['name', 'list']);
    expect(await refused({ name: 'x'.repeat(101) })).toEqual(['name']);
    // What somebody searches for names people.
    for (const query of [
      { q: 'Ana' },
      { after: 'x' },
      { 'a b': 'x' },
      { a: 'x'.repeat(201) },
      { a: 'x\0' },
    ]) {
      expect(await refused({ query })).toEqual(['query']);
    }
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`a${n}`, '']));
    expect(await refused({ query: many })).toEqual(['query']);
    expect(await refused({ owner: 'user:root' })).toEqual(['body']);
    expect(await refused({ sharedWith: 'everybody' })).toEqual(['sharedWith']);
    expectProblem(await call('GET', '?after=x', agent), 400, 'invalid_query');
  });

  test('whoever has to set a new password first has no views yet', async () => {
    const given = await world.newPerson(['agent']);
    await world.db.query(`update staff.passwords set must_change = true where user_id = $1`, [given.id]);
    expectProblem(await call('GET', '', given), 403, 'password_must_change');
  });
});
