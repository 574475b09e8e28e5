// What a container does about a part that hangs: it says so in its heartbeat, and ends in order to be started anew.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { openPool, type Pool } from './database.ts';
import { runContainer } from './run-container.ts';

let database: TestDatabase;
let owner: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 2, applicationName: 'test', timeoutMs: 10_000 });
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

const settings = () => ({
  logLevel: 'error' as const,
  heartbeatMs: 100,
  probePort: undefined,
  database: { url: database.urlFor('recoup_projector'), min: 0, max: 2 },
});

test('a part that hangs is told as stuck, and later ends the process, with what the others do finished', async () => {
  let release = () => {};
  const hanging = new Promise<number>((resolve) => {
    release = () => resolve(1);
  });
  let stepsOfOther = 0;
  const running = runContainer(
    'projector',
    settings(),
    {},
    new AbortController().signal,
    () => ({
      about: {},
      parts: {
        hangs: {
          step: () => hanging,
          idleMs: 10,
          stuck: { afterMs: 500, endAfterMs: 4_000 },
          heartbeat: ({ condition }) => ({
            healthy: condition === 'running',
            detail: { hangs: condition },
          }),
        },
        works: {
          step: async () => {
            stepsOfOther += 1;
            return 0;
          },
          idleMs: 10,
          heartbeat: ({ condition }) => ({ healthy: condition === 'running', detail: { works: condition } }),
        },
      },
    }),
    { drainTimeoutMs: 300 },
  );
  const heartbeat = async () =>
    (
      await owner.query<{ healthy: boolean; detail: object }>(
        "select healthy, detail from operations.heartbeats where process = 'projector'",
      )
    )[0];
  await expect
    .poll(heartbeat, { timeout: 10_000, interval: 50 })
    .toMatchObject({ healthy: false, detail: { hangs: 'stuck', works: 'running' } });
  expect(await running).toEqual({ drained: false });
  expect(stepsOfOther).toBeGreaterThan(1);
  expect(await heartbeat()).toBeUndefined();
  release();
}, 30_000);
