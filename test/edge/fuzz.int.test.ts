// Schemathesis against the running Workers, with all its checks: no 5xx, no answer that the reference does not describe,
// nothing accepted that it forbids. `npm run fuzz:api` asks longer. Without Python it is skipped aloud, but never in CI.

import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { fuzz, schemathesis } from '../../dev/servers/schemathesis.ts';
import { unlessSkipped } from '../unless-skipped.ts';
import { ask } from './asking.ts';
import { playStory } from './scenario.ts';
import { type TestPerson, unlimited, useWorld } from './world.ts';

/** Cases per operation; with more of them, others each time. */
const usual = 1;
const examples = Number(process.env.RECOUP_FUZZ_EXAMPLES || usual);
const seed = examples === usual ? 1 : undefined;

describe('the API', () => {
  const world = useWorld('workerd', { api: unlimited, auth: unlimited });
  let admin: TestPerson;
  beforeAll(async () => {
    await playStory(world);
    admin = await world.newPerson(['admin']);
    await world.db.query(
      `update staff.sessions set idle_limit = '1 day', expires_at = now() + interval '1 day'`,
    );
  }, 120_000);

  test('answers as the reference says, whatever it is asked', { timeout: 7_200_000 }, async ({ skip }) => {
    const environment = await unlessSkipped(
      'SCHEMATHESIS',
      process.env.RECOUP_SKIP_SCHEMATHESIS,
      schemathesis,
    );
    if (!environment) return skip();
    const folder = mkdtempSync(join(inject('runFolder'), 'schemathesis-'));
    const { sessionId: sessionToEnd } = await world.newPerson(['agent']);
    const session = admin.cookie.split('=')[1] as string;
    const url = world.edge.urls.api;
    expect(await fuzz(environment, { url, session, sessionToEnd, examples, seed, folder })).toBe('');
    // Had the session ended, nothing but refusals would have been seen.
    const me = await ask(`${url}/api/v1/auth/me`, { headers: { cookie: admin.cookie } });
    expect(me.status).toBe(200);
  });
});
