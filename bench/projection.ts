// `npm run bench:projection`: events through the lanes that the container runs, beside the same projector at one event a
// transaction, and beside the floor: reading the stream and inserting raw rows in bulk, without an index and as the
// deduplication and the archive have them. All in one run, alternating, on a fresh durable Postgres and a Redis of its
// own; then the archive grows, and the cost of an event is told as it does.

import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from 'redis';
import { openPool, type Pool } from '../containers/database.ts';
import { projecting } from '../containers/projector/project.ts';
import { openRedisSource } from '../containers/projector/redis-source.ts';
import type { Delivery, Source } from '../containers/projector/source.ts';
import { createTally } from '../containers/projector/tally.ts';
import { openVault } from '../containers/projector/vault.ts';
import { histories } from '../dev/histories/histories.ts';
import { startPostgres } from '../dev/servers/postgres.ts';
import { startRedis } from '../dev/servers/redis.ts';
import { migrate } from '../drizzle/migrate.ts';
import { createLog } from '../shared/log.ts';
import { pidIn } from './beside.ts';
import { cpuSeconds } from './cpu.ts';
import { percentile } from './load.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    archive: { type: 'string', default: '10000,100000,1000000' },
    lanes: { type: 'string', default: '2' },
    batch: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '7' },
    buffers: { type: 'string', default: '1GB' },
  },
});
const whole = (name: keyof typeof values, most: number): number => {
  const value = Number(values[name]);
  if (!(Number.isInteger(value) && value >= 1 && value <= most))
    throw new Error(`--${name} expects 1 to ${most}`);
  return value;
};
const [events, rounds, lanes, batchSize] = [
  whole('events', 1_000_000),
  whole('rounds', 100),
  whole('lanes', 16),
  whole('batch', 2_000),
];
/** One event a transaction is slow: a share of the events is enough to know how slow. */
const singly = Math.max(1, Math.floor(events / 10));
/** So many events are measured at each size of the archive. */
const measured = 5_000;
const sizes = values.archive === 'none' ? [] : values.archive.split(',').map(Number);

/**
 * As a server for a million events and more has them. With PostgreSQL's defaults (128 MB of buffers, a checkpoint for
 * every GB of log) a large index is written whole again and again, by every writer that inserts in random order.
 */
const serverSettings = {
  shared_buffers: values.buffers,
  max_wal_size: '16GB',
  checkpoint_timeout: '30min',
};

const stream = 'inbox:bench';
const group = 'bench';
const rules = { timeZone: 'Europe/Berlin', currency: 'EUR', balances: 'events' } as const;
const vault = openVault([{ name: 'bench', key: randomBytes(32) }]);
const log = createLog('error', { process: 'bench' });

const openRedis = (url: string) => createClient({ url, RESP: 2 });
type Redis = ReturnType<typeof openRedis>;

const folder = mkdtempSync(join(tmpdir(), 'recoup-bench-'));
// Postgres may run as another user, who has to get through to its data.
chmodSync(folder, 0o711);

const tell = (seed: number) =>
  histories({
    customers: Math.ceil(10_000_000 / 100),
    events: 10_000_000,
    seed,
    from: '2025-01-01',
    to: '2026-11-01',
    duplicates: 0.01,
    disorder: 0.02,
  });
const seed = whole('seed', 2 ** 31);
const told = tell(seed);

/** What the last run saw. */
let latest: Array<Record<string, string>> = [];

/** The next entries of the history, so that no two runs see the same events; or the last ones once more. */
async function fill(redis: Redis, count: number, again = false, from = told): Promise<void> {
  if (!again) latest = Array.from({ length: count }, () => from.next().value as Record<string, string>);
  for (let n = 0; n < count; n += 1_000) {
    const batch = redis.multi();
    for (const entry of latest.slice(n, n + 1_000)) batch.xAdd(stream, '*', entry);
    await batch.execAsPipeline();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

const openLanes = (url: string, count: number): Source[] =>
  Array.from({ length: count }, (_, n) =>
    openRedisSource({
      url,
      inboxes: [stream],
      logs: [],
      group,
      consumer: `lane-${n}`,
      claimAfterMs: 600_000,
      blockMs: 1,
    }),
  );

async function project(db: Pool, url: string, count: number, laneCount: number, size: number): Promise<void> {
  const sources = openLanes(url, laneCount);
  const tally = createTally();
  let left = count;
  await Promise.all(
    sources.map(async (source) => {
      const { step } = projecting({
        db,
        source,
        deadLetterStream: undefined,
        tools: { vault, rules },
        batchSize: size,
        tally,
        log,
      });
      while (left > 0) {
        const done = await step();
        left -= done;
      }
    }),
  );
  await Promise.all(sources.map((source) => source.close()));
  const { events_buried_total } = tally.totals();
  if (events_buried_total > 0) throw new Error(`${events_buried_total} events were buried`);
}

/** Reads as the projector does and keeps what it read, as `keep` does it. */
async function readAndKeep(
  url: string,
  count: number,
  keep: (deliveries: readonly Delivery[]) => Promise<unknown>,
): Promise<void> {
  const sources = openLanes(url, lanes);
  let left = count;
  await Promise.all(
    sources.map(async (source) => {
      while (left > 0) {
        const deliveries = await source.next(batchSize, () => false);
        await keep(deliveries);
        await source.settle(deliveries);
        left -= deliveries.length;
      }
    }),
  );
  await Promise.all(sources.map((source) => source.close()));
}

const column = <V>(deliveries: readonly Delivery[], value: (delivery: Delivery) => V) =>
  deliveries.map(value);
const raw = ({ fields }: Delivery) => JSON.stringify(fields);

/** One statement a batch, into a table without any index. */
const keepRaw = (db: Pool) => (deliveries: readonly Delivery[]) =>
  db.query('insert into bench.raw (entry_id, fields) select * from unnest($1::text[], $2::json[])', [
    column(deliveries, ({ entryId }) => entryId),
    column(deliveries, raw),
  ]);

/** The least that can be called deduplicated and archived: an id and a row of the archive, neither read nor sealed. */
const keepAsArchived = (db: Pool) => (deliveries: readonly Delivery[]) =>
  db.transaction(async (tx) => {
    const id = ({ entryId, fields }: Delivery) => fields?.id ?? fields?.event_id ?? entryId;
    const subject = ({ fields }: Delivery) =>
      `customer:${fields?.usr ?? fields?.user_id ?? fields?.conv ?? ''}`;
    const ids = [...new Set(column(deliveries, id))].sort();
    await tx.query(
      `insert into bench.event_ids select id, gen_random_uuid() from unnest($1::text[]) as id on conflict do nothing`,
      [ids],
    );
    await tx.query(
      `insert into bench.events (event_id, type, aggregate, subject, version, occurred_at, source, facts, sealed)
       select id, type, subject, subject, id, now(), 'bench', '{}', convert_to(fields, 'UTF8')
       from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as raw (id, type, subject, fields)`,
      [
        column(deliveries, id),
        column(deliveries, ({ fields }) => fields?.typ ?? fields?.event_type ?? ''),
        column(deliveries, subject),
        column(deliveries, raw),
      ],
    );
  });

const perSecond = (count: number, seconds: readonly number[]) =>
  count /
  percentile(
    seconds.toSorted((a, b) => a - b),
    0.5,
  );

const postgres = await startPostgres({
  dataDir: join(folder, 'postgres'),
  logFile: join(folder, 'postgres.log'),
  password: randomBytes(16).toString('hex'),
  settings: serverSettings,
});
const redisServer = await startRedis({
  dataDir: join(folder, 'redis'),
  logFile: join(folder, 'redis.log'),
  password: randomBytes(16).toString('hex'),
});
const redis = openRedis(redisServer.url);
try {
  await migrate(postgres.url, () => {});
  await redis.connect();
  const db = openPool({
    url: postgres.url,
    min: 1,
    max: 2 * lanes + 2,
    applicationName: 'bench',
    timeoutMs: 600_000,
  });
  await db.query(`create schema bench;
    create table bench.raw (entry_id text not null, fields json not null);
    create table bench.event_ids (like servicing.event_ids including all);
    create table bench.events (like servicing.events including all)`);
  const runs = {
    floor: { count: events, run: () => readAndKeep(redisServer.url, events, keepRaw(db)) },
    archived: { count: events, run: () => readAndKeep(redisServer.url, events, keepAsArchived(db)) },
    ours: { count: events, run: () => project(db, redisServer.url, events, lanes, batchSize) },
    again: { count: events, run: () => project(db, redisServer.url, events, lanes, batchSize) },
    singly: { count: singly, run: () => project(db, redisServer.url, singly, 1, 1) },
  };
  const seconds: Record<keyof typeof runs, number[]> = {
    floor: [],
    archived: [],
    ours: [],
    again: [],
    singly: [],
  };
  const cpu: Record<keyof typeof runs, Record<string, number>> = {
    floor: {},
    archived: {},
    ours: {},
    again: {},
    singly: {},
  };
  const roots = {
    node: process.pid,
    postgres: pidIn(join(folder, 'postgres.pid')),
    redis: pidIn(join(folder, 'redis.pid')),
  };
  /** Node's own, without the servers, which are its children. */
  const used = () => {
    const of = cpuSeconds(roots);
    const { user, system } = process.cpuUsage();
    return { ...of, node: (user + system) / 1e6 } as Record<string, number>;
  };
  // Once unmeasured, so that everything is compiled and no table is empty.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, { count, run }] of Object.entries(runs) as Array<
      [keyof typeof runs, (typeof runs)['ours']]
    >) {
      await redis.del(stream);
      await fill(redis, count, name === 'again');
      await db.query('checkpoint');
      const before = used();
      const took = await timed(run);
      const after = used();
      if (round === 0) continue;
      seconds[name].push(took);
      for (const part of Object.keys(after))
        cpu[name][part] =
          (cpu[name][part] ?? 0) + ((after[part] ?? 0) - (before[part] ?? 0)) / (count * rounds);
    }
  }
  const rate = {
    floor: perSecond(events, seconds.floor),
    ours: perSecond(events, seconds.ours),
    again: perSecond(events, seconds.again),
    archived: perSecond(events, seconds.archived),
    singly: perSecond(singly, seconds.singly),
  };
  const processor = (name: keyof typeof runs) =>
    Object.fromEntries(
      Object.entries(cpu[name]).map(([part, took]) => [`${part} µs`, Math.round(took * 1e6)]),
    );
  console.table([
    { what: 'floor: read and insert raw rows', 'events/s': Math.round(rate.floor), ...processor('floor') },
    {
      what: 'ids and archive rows as they come, nothing read',
      'events/s': Math.round(rate.archived),
      'of the floor': (rate.archived / rate.floor).toFixed(2),
      ...processor('archived'),
    },
    {
      what: `projector, ${lanes} lanes, batches of ${batchSize}`,
      'events/s': Math.round(rate.ours),
      'of the floor': (rate.ours / rate.floor).toFixed(2),
      'times singly': (rate.ours / rate.singly).toFixed(1),
      ...processor('ours'),
    },
    {
      what: 'the same events once more: all are duplicates',
      'events/s': Math.round(rate.again),
      'of the floor': (rate.again / rate.floor).toFixed(2),
      ...processor('again'),
    },
    {
      what: 'projector, one event a transaction',
      'events/s': Math.round(rate.singly),
      ...processor('singly'),
    },
  ]);

  // Anew, so that the first size is small.
  await db.query(`do $$ declare t regclass; begin
    for t in select oid from pg_class where relnamespace = 'servicing'::regnamespace and relkind in ('r', 'p') loop
      execute 'truncate ' || t || ' cascade';
    end loop;
  end $$`);
  const growth: Record<string, string | number>[] = [];
  let kept = 0;
  const fold = async (count: number, from = told) => {
    await redis.del(stream);
    await fill(redis, count, false, from);
    kept += count;
    const before = used();
    const took = await timed(() => project(db, redisServer.url, count, lanes, batchSize));
    const after = used();
    return Object.fromEntries([
      ['µs', (took / count) * 1e6],
      ...Object.keys(after).map((part) => [
        `${part} µs`,
        (((after[part] ?? 0) - (before[part] ?? 0)) / count) * 1e6,
      ]),
    ]) as Record<string, number>;
  };
  for (const [n, size] of sizes.entries()) {
    while (kept < size - measured) await fold(Math.min(100_000, size - measured - kept));
    const here = await fold(measured);
    const [log] = await db.query<{ archived: number; mb: number; all: number }>(
      `select (select count(*)::int from servicing.events) as archived,
              (pg_total_relation_size('servicing.event_ids') / 1e6)::int as mb,
              (pg_database_size(current_database()) / 1e6)::int as all`,
    );
    // Lives that begin: what an event is about is the same at every size, and only what is there already differs.
    const beginning = await fold(measured, tell(seed + 1 + n));
    const row = {
      'events archived': log?.archived ?? 0,
      'ids, MB': log?.mb ?? 0,
      'database, MB': log?.all ?? 0,
    };
    for (const [what, costs] of Object.entries({ 'as it goes on': here, 'beginning lives': beginning }))
      growth.push({
        ...row,
        what,
        ...Object.fromEntries(Object.entries(costs).map(([part, cost]) => [part, Math.round(cost)])),
      });
  }
  if (growth.length > 0) console.table(growth);
  await db.close();
} finally {
  redis.destroy();
  await redisServer.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
