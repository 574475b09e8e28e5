// The examples of the reference are real answers: recorded from the story, and compared with it in every run. After a
// change: `npm run examples`.

import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ask } from './asking.ts';
import { normalised, playStory } from './scenario.ts';
import { useWorld } from './world.ts';

const file = join(import.meta.dirname, '../../workers/api/examples.json');

describe('the reference', () => {
  const world = useWorld('node');

  test('has the examples that the story is answered with, each one as declared', async () => {
    const { examples } = await playStory(world);
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
