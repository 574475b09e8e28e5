// `npm run rebuild -- --projection customers|accounts|conversations|all`: folds projections anew from the archive while
// the projector runs, and corrects what is not what comes out. Stopped or killed, the same command goes on from there.
// Exits 1 when it was stopped, or when events could not be read.

import { parseArgs } from 'node:util';
import type { Pool } from '../containers/database.ts';
import { askedBy } from '../shared/audit/asker.ts';
import type { Tools } from '../shared/servicing/fold-batch.ts';
import { type ProjectionGroup, projectionGroups } from '../shared/servicing/projections.ts';
import { type Rebuilding, rebuild, takeUpUnhandled } from '../shared/servicing/rebuild.ts';
import { openArchive } from './archive.ts';
import { say } from './progress.ts';

const usage = `Usage: npm run rebuild -- --projection ${projectionGroups.join('|')}|all

  --restart   begins anew, instead of going on where it was stopped`;

const saidEveryMs = 2_000;

function readArguments() {
  const { values } = parseArgs({
    options: { projection: { type: 'string' }, restart: { type: 'boolean', default: false } },
  });
  const groups = projectionGroups.filter((group) => [group, 'all'].includes(values.projection ?? ''));
  if (groups.length === 0) throw new Error(`--projection is needed\n\n${usage}`);
  return { groups, restart: values.restart };
}

const told = ({ aggregates, events, corrected }: Rebuilding) =>
  `${aggregates} aggregates, ${events} events, ${corrected} corrected`;

async function rebuildOne(
  db: Pool,
  group: ProjectionGroup,
  tools: Tools,
  { restart, stop }: { restart: boolean; stop: AbortSignal },
): Promise<void> {
  const held = await db.tryLock(`servicing.rebuild ${group}`, async (lost) => {
    let first: Rebuilding | undefined;
    let last: Rebuilding | undefined;
    const startedAt = performance.now();
    let saidAt = startedAt;
    for await (const soFar of rebuild(askedBy(db, { actor: 'job:rebuild' }), group, tools, { restart })) {
      if (!first && soFar.aggregates > 0) say(`${group}: going on after ${soFar.aggregates} aggregates`);
      first ??= soFar;
      last = soFar;
      if (lost.aborted) throw new Error(`${group}: the connection that held its lock broke`);
      if (stop.aborted) throw new Error(`${group}: stopped; the same command goes on from here`);
      if (performance.now() - saidAt < saidEveryMs) continue;
      saidAt = performance.now();
      say(`${group}: ${told(soFar)}`);
    }
    if (!first || !last) return;
    const seconds = (performance.now() - startedAt) / 1_000;
    const rate = Math.round((last.events - first.events) / seconds);
    say(`${group}: done: ${told(last)} (${seconds.toFixed(1)} s, ${rate} events/s)`);
    if (last.unreadable === 0) return;
    say(`${group}: ${last.unreadable} events could not be read as what they say they are, and were left out`);
    process.exitCode = 1;
  });
  if (!held) throw new Error(`${group}: is being rebuilt by another process`);
}

async function run(): Promise<void> {
  const { groups, restart } = readArguments();
  const { db, tools } = openArchive('rebuild');
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  try {
    const taken = await takeUpUnhandled(db, tools);
    if (taken.events > 0) say(`${taken.events} events are of types that were not handled when they came`);
    if (taken.unreadable > 0) {
      say(`${taken.unreadable} more cannot be read as what they say they are, and stay unhandled`);
      process.exitCode = 1;
    }
    for (const group of groups) await rebuildOne(db, group, tools, { restart, stop: stopping.signal });
    const others = taken.groups.filter((group) => !groups.includes(group));
    if (others.length > 0) say(`they tell about ${others.join(' and ')}, too: rebuild these as well`);
  } finally {
    await db.close();
  }
}

await run().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
