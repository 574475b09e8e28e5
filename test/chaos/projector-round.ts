// One round of chaos among projectors: a history comes, some of it late, some twice, some of it over two ways, while two
// processes fold it and are killed with -9 at random moments. By the seed, Redis or Postgres is killed as well, or one
// of the processes stands still for longer than others wait for it. Afterwards everything that was told is folded once,
// and all that was projected is what one undisturbed run makes of it. The same seed kills at the same moments.

import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';
import { openVault } from '../../containers/projector/vault.ts';
import { redisClient } from '../../containers/redis-client.ts';
import { histories } from '../../dev/histories/histories.ts';
import type { Database } from '../../shared/database.ts';
import type { Rules } from '../../shared/servicing/projection.ts';
import { type Chance, seeded } from '../seeded.ts';
import type { Cast } from './cast.ts';
import { differences, dumpOf, foldUndisturbed, forgetAll } from './projection-dump.ts';
import {
  claimAfterMs,
  group,
  masterKey,
  type ProjectorArena,
  type ProjectorName,
  projectors,
  streams,
  timeZone,
} from './projector-arena.ts';

/** What happens beside the kills. */
export const kinds = ['nothing else', 'Redis is killed', 'Postgres is killed', 'one stands still'] as const;
type Kind = (typeof kinds)[number];

export interface ProjectorReport {
  kind: Kind;
  events: number;
  /** Entries that came, repetitions included. */
  entries: number;
  kills: Record<ProjectorName, number>;
  /** Events folded by each, as far as heartbeats told before their process was killed. */
  folded: Record<ProjectorName, number>;
}

const events = 2_000;
const customers = 60;
const comingMs = 1_800;
const chunk = 250;
const settledWithinMs = 60_000;
const rules: Rules = { timeZone, currency: 'EUR', balances: 'events' };
const vault = openVault([masterKey]);
const perName = () =>
  Object.fromEntries(projectors.map((name) => [name, 0])) as Record<ProjectorName, number>;

/** Plays one round and checks it. Throws what does not hold. */
export async function playProjectorRound(
  arena: ProjectorArena,
  cast: Cast<ProjectorName>,
  seed: number,
): Promise<ProjectorReport> {
  const chance = seeded(seed);
  const kind = kinds[seed % kinds.length] as Kind;
  const history = { customers, events, seed, from: '2026-01-01', to: '2026-10-31', timeZone };
  const coming = [...histories({ ...history, duplicates: 0.05, disorder: 0.1 })];
  const pids = Object.fromEntries(projectors.map((name) => [name, [cast.pidOf(name)]])) as Record<
    ProjectorName,
    number[]
  >;
  // So that they are killed at work, and not as they start.
  await beaten(arena.db, cast, 0);
  const before = await foldedByPid(arena.db);
  await forgetAll(arena.db);

  const kills = perName();
  let still: ProjectorName | undefined;
  const until = Date.now() + comingMs;
  const killing = async () => {
    while (Date.now() < until) {
      await sleep(chance.between(200, 900));
      const name = chance.pick(projectors.filter((one) => one !== still));
      await cast.kill(name);
      kills[name] += 1;
      pids[name].push(cast.pidOf(name));
    }
  };
  const disturbing = async () => {
    await sleep(chance.between(300, comingMs / 2));
    if (kind === 'Redis is killed') await arena.restartRedis();
    if (kind === 'Postgres is killed') await arena.restartPostgres();
    if (kind === 'one stands still') {
      const name = chance.pick(projectors);
      still = name;
      cast.freeze(name);
      await sleep(claimAfterMs + chance.between(300, 1_500));
      cast.thaw(name);
      still = undefined;
    }
  };
  const others = seeded(chance.between(0, 2 ** 30));
  await Promise.all([append(arena, coming, others), killing(), disturbing()]);
  await settled(arena, Date.now() + settledWithinMs);

  await Promise.all([
    beaten(arena.db, cast, Date.now()),
    foldUndisturbed(arena.clean, [...histories(history)], { vault, rules }),
  ]);
  const wrong = differences(await dumpOf(arena.db, vault), await dumpOf(arena.clean, vault));
  const [counted] = await arena.db.query<{ folded: number }>(
    'select count(*)::int as folded from servicing.events',
  );
  if (counted?.folded !== events) wrong.push(`${counted?.folded} events are folded, and ${events} came`);
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));

  const after = await foldedByPid(arena.db);
  const folded = perName();
  for (const name of projectors)
    for (const pid of pids[name]) folded[name] += (after.get(pid) ?? 0) - (before.get(pid) ?? 0);
  return { kind, events, entries: coming.length, kills, folded };
}

type Fields = Record<string, string>;

/** To both streams, at a steady pace; a few come to the inbox, too. What may have been appended is appended again. */
async function append({ redisUrl, db }: ProjectorArena, entries: readonly Fields[], chance: Chance) {
  for (let at = 0; at < entries.length; at += chunk) {
    const some = entries.slice(at, at + chunk).map((fields) => ({ fields, stream: chance.pick(streams) }));
    const twice = some.filter(() => chance.next() < 0.02).map(({ fields }) => JSON.stringify(fields));
    await patiently(async () => {
      const redis = redisClient(redisUrl).on('error', () => {});
      try {
        await redis.connect();
        await Promise.all(some.map(({ stream, fields }) => redis.xAdd(stream, '*', fields)));
      } finally {
        redis.destroy();
      }
    });
    if (twice.length > 0)
      await patiently(() =>
        db.query(
          `insert into servicing.inbox (fields, source) select one::jsonb, 'http' from unnest($1::text[]) one`,
          [twice],
        ),
      );
    await sleep((comingMs * chunk) / entries.length);
  }
}

/** Until it succeeds: servers are away for a while here. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + settledWithinMs; ; await sleep(100)) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

/** Waits until nothing is on its way any more. */
async function settled({ db, redisUrl }: ProjectorArena, deadline: number): Promise<void> {
  const redis = createClient({ url: redisUrl });
  await redis.connect();
  try {
    for (;;) {
      // Not by what Redis says of the lag: after a crash that may be too much.
      const waiting = await Promise.all(
        streams.map(async (stream) => {
          const [[read], all] = await Promise.all([redis.xInfoGroups(stream), redis.xInfoStream(stream)]);
          const isRead = read?.name === group && read['last-delivered-id'] === all['last-generated-id'];
          return { stream, isRead, pending: read?.pending };
        }),
      );
      const [inbox] = await db.query<{ rows: number }>('select count(*)::int as rows from servicing.inbox');
      const isDone = waiting.every(({ isRead, pending }) => isRead && pending === 0);
      if (isDone && inbox?.rows === 0) return;
      if (Date.now() > deadline) throw new Error(`not settled: ${JSON.stringify({ waiting, inbox })}`);
      await sleep(50);
    }
  } finally {
    redis.destroy();
  }
}

/** Waits until both have told what they have done, since then. */
async function beaten(db: Database, cast: Cast<ProjectorName>, since: number): Promise<void> {
  const deadline = Date.now() + settledWithinMs;
  const suffixes = projectors.map((name) => `%-${cast.pidOf(name)}`);
  for (let told = 0; told < projectors.length; await sleep(50)) {
    const rows = await db.query(
      `select from operations.heartbeats where process = 'projector' and instance like any ($1)
       and beat_at > to_timestamp($2::float8 / 1000)`,
      [suffixes, since],
    );
    told = rows.length;
    if (Date.now() > deadline) throw new Error('a projector tells nothing of itself any more');
  }
}

async function foldedByPid(db: Database): Promise<Map<number, number>> {
  const rows = await db.query<{ pid: number; folded: number }>(
    `select substring(instance from '\\d+$')::int as pid, coalesce((detail->>'events_folded_total')::int, 0) as folded
     from operations.heartbeats where process = 'projector'`,
  );
  return new Map(rows.map(({ pid, folded }) => [pid, folded]));
}
