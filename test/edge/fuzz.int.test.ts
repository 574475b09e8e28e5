// Schemathesis against the running Workers, with all its checks: no 5xx, no answer that the reference does not describe,
// nothing accepted that it forbids. `npm run fuzz:api` asks longer. Without Python it is skipped aloud, but never in CI.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { fuzz, schemathesis } from '../../dev/servers/schemathesis.ts';
import { unlessSkipped } from '../unless-skipped.ts';
import { playStory, type Story } from './scenario.ts';
import { unlimited, useWorld } from './world.ts';

/** Cases per operation; with more of them, others each time. */
const usual = 2;
const examples = Number(process.env.RECOUP_FUZZ_EXAMPLES || usual);
const seed = examples === usual ? 1 : undefined;

describe('the API', () => {
  const world = useWorld('workerd', { api: unlimited, auth: unlimited });
  let story: Story;
  beforeAll(async () => {
    story = await playStory(world);
  });

  test('answers as the reference says, whatever it is asked', { timeout: 7_200_000 }, async ({ skip }) => {
    const environment = await unlessSkipped(
      'SCHEMATHESIS',
      process.env.RECOUP_SKIP_SCHEMATHESIS,
      schemathesis,
    );
    if (!environment) return skip();
    const folder = mkdtempSync(join(inject('runFolder'), 'schemathesis-'));
    const asking = { url: world.edge.urls.api, token: story.key, examples, seed, folder };
    expect(await fuzz(environment, asking)).toBe('');
  });
});
