// Ten rounds of kill -9 among edge, ingest, publisher and drain under load, each with a seed of its own; a round that
// fails names its seed. `npm run chaos` plays hundreds.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openPool, type Pool } from '../../containers/database.ts';
import { createTestDatabase, createTestRedis, type TestDatabase } from '../database.ts';
import { openArena } from './arena.ts';
import { Cast } from './cast.ts';
import { playRound, type Victim, victims } from './round.ts';

const seeds = Array.from({ length: 10 }, (_, n) => 20_261_124 + n);

let database: TestDatabase;
let owner: Pool;
let arena: Awaited<ReturnType<typeof openArena>>;
let cast: Cast<Victim> | undefined;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 10_000 });
  const { url: redisUrl } = await createTestRedis();
  arena = await openArena({ db: owner, urlFor: (role) => database.urlFor(role), redisUrl });
  cast = new Cast(arena.env);
});
afterAll(async () => {
  cast?.killAll();
  await arena?.[Symbol.asyncDispose]();
  await owner.close();
  await database.drop();
});

const kills = Object.fromEntries(victims.map((victim) => [victim, 0])) as Record<
  (typeof victims)[number],
  number
>;
const answers: Record<string, number> = {};

test.each(seeds)(
  'killed at random under load, nothing is lost and nothing is there twice: seed %i',
  async (seed) => {
    const report = await playRound(arena, cast as Cast<Victim>, seed);
    for (const victim of victims) kills[victim] += report.kills[victim];
    for (const [status, count] of Object.entries(report.answers))
      answers[status] = (answers[status] ?? 0) + count;
    expect(report.payments).toBeGreaterThan(0);
  },
  90_000,
);

test('the rounds have killed each process, and have seen new, repeated and accepted payments', () => {
  for (const victim of victims) expect(kills[victim], victim).toBeGreaterThan(0);
  for (const status of ['201', '200', '202']) expect(answers[status] ?? 0, status).toBeGreaterThan(0);
});

test('all of them end in order when they are told to', async () => {
  await cast?.end();
}, 60_000);
