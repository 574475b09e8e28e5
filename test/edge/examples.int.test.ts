// The examples of the reference are real answers: recorded from the story, which goes through every route, and compared
// with it in every run and on every runtime. After a change: `npm run examples`.

import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createApi } from '../../workers/api/main.ts';
import { createAuth } from '../../workers/auth/main.ts';
import type { Examples } from '../../workers/openapi.ts';
import { declaredIn } from '../../workers/route.ts';
import { ask } from './asking.ts';
import { runtimesAndContainer } from './runtimes.ts';
import { normalised, playStory } from './scenario.ts';
import { useWorld } from './world.ts';

const file = join(import.meta.dirname, '../../workers/api/examples.json');

describe.each(runtimesAndContainer)('the reference on %s', (runtime) => {
  const world = useWorld(runtime);

  let examples: Examples;
  beforeAll(async () => {
    ({ examples } = await playStory(world));
  }, 120_000);

  test('tells of no route that the story leaves out', () => {
    const declared = [createApi(), createAuth()].flatMap(declaredIn);
    const missing = declared.map(({ method, path }) => `${method} ${path}`).filter((name) => !examples[name]);
    expect(missing, 'to be called in test/edge/scenario.ts, with data behind them').toEqual([]);
  });

  test('has the examples that the story is answered with, each one as declared', async () => {
    const recorded = Object.entries(normalised(examples)).filter(
      ([, answers]) => Object.keys(answers).length,
    );
    await expect(`${JSON.stringify(Object.fromEntries(recorded), null, 2)}\n`).toMatchFileSnapshot(file);
  });

  test('shows them', async () => {
    const { body } = await ask(`${world.edge.urls.api}/openapi.json`);
    const { responses, parameters } = body.paths['/api/v1/payments/{reference}/reversal'].post;
    expect(responses[201].content['application/json'].example).toMatchObject({ status: 'applied' });
    expect(responses[202].content['application/json'].example).toMatchObject({ status: 'held' });
    expect(parameters[0]).toMatchObject({ name: 'reference', example: expect.any(String) });
    const me = body.paths['/api/v1/auth/me'].get.responses[200].content['application/json'];
    expect(me.example).toMatchObject({ kind: 'user', username: 'ruth' });
  });
});
