// Ten rounds of kill -9 among two projectors, each with a seed of its own; a round that fails names its seed.
// `npm run chaos:projector` plays hundreds.

import { chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Cast } from './cast.ts';
import { openProjectorArena, type ProjectorName, projectors } from './projector-arena.ts';
import { type ProjectorReport, playProjectorRound } from './projector-round.ts';

const seeds = Array.from({ length: 10 }, (_, n) => 20_261_124 + n);

let arena: Awaited<ReturnType<typeof openProjectorArena>> | undefined;
let cast: Cast<ProjectorName> | undefined;

beforeAll(async () => {
  const folder = mkdtempSync(join(inject('runFolder'), 'projector-'));
  // Postgres may run as another user, who has to get through to its data.
  chmodSync(folder, 0o711);
  arena = await openProjectorArena(folder);
  cast = new Cast(arena.env, () => 'projector');
}, 120_000);
afterAll(async () => {
  cast?.killAll();
  await arena?.[Symbol.asyncDispose]();
});

const reports: ProjectorReport[] = [];

test.each(seeds)(
  'killed at random while a history comes, every event is folded once and nothing is buried: seed %i',
  async (seed) => {
    if (!arena || !cast) throw new Error('the arena is not open');
    reports.push(await playProjectorRound(arena, cast, seed));
  },
  120_000,
);

test('the rounds have killed each of them, and they have shared the work', () => {
  const sum = (of: (report: ProjectorReport) => number) =>
    reports.reduce((total, report) => total + of(report), 0);
  const told = sum((report) => report.folded.one + report.folded.other);
  for (const name of projectors) {
    expect(
      sum((report) => report.kills[name]),
      name,
    ).toBeGreaterThan(0);
    expect(sum((report) => report.folded[name]) / told, name).toBeGreaterThan(0.1);
  }
  expect(told).toBeGreaterThan(sum((report) => report.events) / 10);
});

test('both of them end in order when they are told to', async () => {
  await cast?.end();
}, 60_000);
