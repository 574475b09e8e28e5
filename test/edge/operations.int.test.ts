// What operators see: health in seed 003's words, metrics that add up whoever counted, and a log that tells what
// happened without telling about whom.

import { createClient } from 'redis';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendarDate } from '../../shared/calendar-date.ts';
import { beat } from '../../shared/operations/beat.ts';
import type { HeartbeatDetail } from '../../shared/operations/heartbeat.ts';
import { jobNames, jobs } from '../../shared/operations/job.ts';
import { about } from '../../workers/api/metrics.ts';
import { aPayment, ask, deliver, doors, eventually, expectProblem, read, write } from './asking.ts';
import { channel } from './channels.ts';
import { parseExposition } from './exposition.ts';
import { type Edge, oneRuntime } from './runtimes.ts';
import { timeZone, useWorld } from './world.ts';

const slackMs = 1_500;

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  const health = () => read(world.edge, '/health');

  const heartbeat = (changes: { healthy?: boolean; detail?: Record<string, boolean | number> } = {}) =>
    beat(world.db, {
      process: 'publisher',
      instance: 'one',
      healthy: true,
      detail: { log_ok: true, batches: 7 },
      ...changes,
    });

  /** As containers/projector/run.ts tells it. */
  const projectorBeats = (detail: HeartbeatDetail = {}) =>
    beat(world.db, {
      process: 'projector',
      instance: 'one',
      healthy: true,
      detail: {
        waiting: 7,
        pending: 2,
        oldest_pending_seconds: 3,
        events_per_second: 10,
        dead_letters: 1,
        streams: [{ source: 'inbox:a', waiting: 7, pending: 2, oldestPendingSeconds: 3, kept: 9 }],
        unhandled: { 'noise.v1': 4 },
        ...detail,
      },
    });

  describe('health', () => {
    beforeEach(async () => {
      await world.db.query('truncate operations.heartbeats, outbox.messages, public.payment_staging');
      await heartbeat();
      await beat(world.db, { process: 'ingest', instance: 'one', healthy: true, detail: {} });
      await beat(world.db, { process: 'posting', instance: 'one', healthy: true, detail: {} });
      await projectorBeats();
      await world.db.query('truncate operations.job_runs');
      await world.db.query(
        `insert into operations.job_runs (job, status, started_at, finished_at, instance)
         select job, 'succeeded', now() - interval '5 s', now(), 'one' from unnest($1::text[]) as job`,
        [jobNames],
      );
    });

    test('is told in exactly these words while all is well', async () => {
      const answer = await health();
      expect(answer.status, answer.text).toBe(200);
      expect(answer.body).toEqual({
        status: 'healthy',
        checks: {
          database: 'ok',
          kafka: 'ok',
          redis: 'ok',
          staging_backlog: 0,
          last_staging_run: expect.any(String),
          outbox: 'ok',
          outbox_oldest_seconds: 0,
          audit: 'ok',
          audit_unsealed_seconds: expect.any(Number),
          webhooks: 'ok',
          auth: 'ok',
          jobs: 'ok',
          job_runs: Object.fromEntries(
            jobNames.map((job) => [job, { outcome: 'succeeded', age_seconds: expect.any(Number) }]),
          ),
          partitions: 'ok',
          partitions_ahead_months: 3,
          partitions_default_rows: 0,
          accepted_store: 'off',
          accepted_backlog: null,
          accepted_buried: null,
          publisher: 'ok',
          ingest: 'ok',
          drain: 'off',
          projector: 'ok',
          posting: 'ok',
          events_waiting: 7,
          events_oldest_pending_seconds: 3,
          events_per_second: 10,
          event_streams: { 'inbox:a': { waiting: 7, pending: 2, oldest_pending_seconds: 3 } },
          dead_letters: 1,
        },
      });
      expect(answer.headers.get('cache-control')).toBe('no-store');
    });

    test('needs no key', async () => {
      expect((await ask(`${world.edge.urls.api}/health`)).status).toBe(200);
      for (const worker of ['webhooks', 'auth'] as const) {
        const answer = await ask(`${world.edge.urls[worker]}/health`);
        const outages = worker === 'webhooks' ? { outages: 'refuse' } : {};
        expect([answer.status, answer.body]).toEqual([200, { status: 'healthy', ...outages }]);
      }
    });

    test('counts what is staged and tells when it was last looked at', async () => {
      await world.db.query(
        `insert into public.payment_staging (reference_number, loan_account_number, cif, amount, payment_date, processed)
         select 'STAGED-' || n, 'LN', 'CIF', 1, now(), case n when 1 then true when 2 then null else false end
         from generate_series(1, 6) as n`,
      );
      await world.db.query(
        `insert into payment_service.staging_process_log (batch_start_id, batch_end_id, total_records, started_at)
         values (1, 2, 2, '2026-11-01T10:00:00Z'), (3, 4, 2, '2026-11-02T10:00:00.123Z')`,
      );
      const { status, body } = await health();
      expect(status).toBe(200);
      expect(body.checks).toMatchObject({ staging_backlog: 5, last_staging_run: '2026-11-02T10:00:00.123Z' });
      await world.db.query('truncate payment_service.staging_process_log');
      expect((await health()).body.checks.last_staging_run).toBe('never');
    });

    test('is good while messages wait for less than a minute', async () => {
      await world.db.query(
        `insert into outbox.messages (destination, topic, key, event_id, payload, created_at)
         select destination, 't', 'k', gen_random_uuid(), '{}', now() - make_interval(secs => age)
         from (values ('log', 1), ('log', 30), ('ledger', 20)) as waiting (destination, age)`,
      );
      const { status, body } = await health();
      expect([status, body.checks.outbox]).toEqual([200, 'ok']);
      expect(body.checks.outbox_oldest_seconds).toBeGreaterThanOrEqual(30);
      expect(body.checks.outbox_oldest_seconds).toBeLessThan(60);
    });

    const silences: [string, string, object][] = [
      ['was never heard of', 'delete from operations.heartbeats', { kafka: 'error', publisher: 'error' }],
      [
        'was last heard of half a minute ago',
        `update operations.heartbeats set beat_at = now() - interval '31 s'`,
        { kafka: 'error', publisher: 'error' },
      ],
      [
        'says that it is not well',
        'update operations.heartbeats set healthy = false',
        { kafka: 'ok', publisher: 'error' },
      ],
      [
        'says that the log is away',
        `update operations.heartbeats set detail = '{"log_ok": false}'`,
        { kafka: 'error', publisher: 'ok' },
      ],
      [
        'leaves a message waiting for more than a minute',
        `insert into outbox.messages (destination, topic, key, event_id, payload, created_at)
         values ('log', 't', 'k', gen_random_uuid(), '{}', now() - interval '61 s')`,
        { kafka: 'ok', publisher: 'ok', outbox: 'error' },
      ],
    ];
    test.each(silences)('is bad when the publisher %s', async (_, change, checks) => {
      await world.db.query(change);
      const answer = await health();
      expect(answer.status).toBe(503);
      expect(answer.body).toMatchObject({
        status: 'unhealthy',
        checks: { database: 'ok', redis: 'ok', ...checks },
      });
    });

    const projectorSilences: [string, string][] = [
      ['was never heard of', `delete from operations.heartbeats where process = 'projector'`],
      [
        'was last heard of half a minute ago',
        `update operations.heartbeats set beat_at = now() - interval '31 s' where process = 'projector'`,
      ],
    ];
    test.each(projectorSilences)(
      'is bad when the projector %s, and knows nothing of events',
      async (_, change) => {
        await world.db.query(change);
        const { status, body } = await health();
        expect(status).toBe(503);
        expect(body.checks).toMatchObject({
          publisher: 'ok',
          projector: 'error',
          events_waiting: null,
          event_streams: null,
          dead_letters: null,
        });
      },
    );

    test('is bad when an entry of the audit trail has no seal for half an hour', async () => {
      const [row] = await world.db.query<{ id: string }>(
        `insert into audit.entries (at, actor, action) values (now() - interval '31 minutes', 'user:ada', 'test.done') returning id`,
      );
      const { status, body } = await health();
      expect([status, body.checks.audit]).toEqual([503, 'error']);
      expect(body.checks.audit_unsealed_seconds).toBeGreaterThan(1_800);
      await world.db.query('delete from audit.unsealed where entry_id = $1', [row?.id]);
      expect((await health()).status).toBe(200);
    });

    test('is bad when a projector says that a lane is stuck', async () => {
      await projectorBeats({ redis_1: 'stuck' });
      await world.db.query(`update operations.heartbeats set healthy = false where process = 'projector'`);
      const { status, body } = await health();
      expect([status, body.checks.projector, body.checks.events_waiting]).toEqual([503, 'error', 7]);
    });

    const jobTroubles: [string, string, string][] = [
      ['failed last', `set status = 'failed', error = 'x'`, 'failed'],
      ['was left by its process', `set status = 'abandoned', error = 'x'`, 'abandoned'],
      [
        'is more than three intervals late',
        `set started_at = now() - make_interval(secs => ${3 * (jobs.partitions.everySeconds ?? 0) + 60})`,
        'succeeded',
      ],
    ];
    test.each(jobTroubles)('is bad when a job %s', async (_, change, outcome) => {
      await world.db.query(`update operations.job_runs ${change} where job = 'partitions'`);
      const { status, body } = await health();
      expect([status, body.checks.jobs, body.checks.job_runs.partitions.outcome]).toEqual([
        503,
        'error',
        outcome,
      ]);
      // A run that makes up for it: whether it helps shows when it ends, unless the trouble was only that none ran.
      await world.db.query(
        `insert into operations.job_runs (job, status, started_at, instance) values ('partitions', 'running', now(), 'one')`,
      );
      expect((await health()).body.checks.jobs).toBe(outcome === 'failed' ? 'error' : 'ok');
    });

    test('is bad while a job has never run', async () => {
      await world.db.query(`delete from operations.job_runs where job = 'cleanup'`);
      const { status, body } = await health();
      expect([status, body.checks.jobs]).toEqual([503, 'error']);
      expect(Object.keys(body.checks.job_runs)).not.toContain('cleanup');
    });

    test('counts the months that have a partition in advance, and is bad when the next one has none', async () => {
      const nextMonth = `date_trunc('month', now() at time zone 'UTC') + interval '1 month'`;
      const [next] = await world.db.query<{ name: string }>(
        `select table_name as name from payment_service.payment_months where month = (${nextMonth})::date`,
      );
      await world.db.query(
        `alter table payment_service.payments detach partition payment_service.${next!.name}`,
      );
      await world.db.query(`drop table payment_service.${next!.name}`);
      const { status, body } = await health();
      expect(status).toBe(503);
      expect(body.checks).toMatchObject({ partitions: 'error', partitions_ahead_months: 0 });
      await world.db.query(`select payment_service.add_month((${nextMonth})::date, false, 1000)`);
      expect((await health()).body.checks).toMatchObject({ partitions: 'ok', partitions_ahead_months: 3 });
    });

    test('is good again with the next heartbeat, and one instance that is gone does not matter', async () => {
      await world.db.query(
        `update operations.heartbeats set beat_at = now() - interval '31 s' where process = 'publisher'`,
      );
      expect((await health()).status).toBe(503);
      await beat(world.db, {
        process: 'publisher',
        instance: 'two',
        healthy: true,
        detail: { log_ok: true },
      });
      expect((await health()).status).toBe(200);
    });

    const absences = {
      database: [
        {
          database: 'error',
          kafka: 'error',
          redis: 'ok',
          outbox: 'error',
          webhooks: 'error',
          publisher: 'error',
        },
        () => [world.gates.database],
      ],
      Postgres: [{ database: 'error', redis: 'ok' }, () => [world.gates.postgres]],
      Redis: [{ database: 'ok', kafka: 'ok', redis: 'error' }, () => [world.gates.redis]],
      everything: [
        { database: 'error', kafka: 'error', redis: 'error', publisher: 'error' },
        () => [world.gates.database, world.gates.redis],
      ],
    } as const;

    test.each(Object.entries(absences))('is bad while %s is away', async (_, [checks, gates]) => {
      await Promise.all(gates().map((gate) => gate.goAway()));
      const answer = await health();
      expect([answer.status, answer.body.status]).toEqual([503, 'unhealthy']);
      expect(answer.body.checks).toMatchObject(checks);
      expect(answer.ms).toBeLessThan(slackMs);
      await Promise.all(gates().map((gate) => gate.comeBack()));
      expect((await health()).status).toBe(200);
    });

    test('is told in time while nothing answers at all', async () => {
      world.gates.database.fallSilent();
      world.gates.redis.fallSilent();
      const answer = await health();
      expect([answer.status, answer.body.status]).toEqual([503, 'unhealthy']);
      expect(answer.body.checks).toEqual({
        database: 'error',
        kafka: 'error',
        redis: 'error',
        staging_backlog: null,
        last_staging_run: null,
        outbox: 'error',
        outbox_oldest_seconds: null,
        audit: 'error',
        audit_unsealed_seconds: null,
        webhooks: 'error',
        auth: 'error',
        jobs: 'error',
        job_runs: null,
        partitions: 'error',
        partitions_ahead_months: null,
        partitions_default_rows: null,
        accepted_store: 'error',
        accepted_backlog: null,
        accepted_buried: null,
        publisher: 'error',
        ingest: 'error',
        drain: 'error',
        projector: 'error',
        posting: 'error',
        events_waiting: null,
        events_oldest_pending_seconds: null,
        events_per_second: null,
        event_streams: null,
        dead_letters: null,
      });
      // Its own limit for the database is 2 s.
      expect(answer.ms).toBeLessThan(2_000 + slackMs);
    });

    test('of the Workers behind the front door is their database', async () => {
      await world.gates.database.goAway();
      for (const worker of ['webhooks', 'auth'] as const) {
        expectProblem(await ask(`${world.edge.urls[worker]}/health`), 503, 'unavailable');
      }
    });
  });

  describe('metrics', () => {
    let scraper: string;
    let second: Edge;
    beforeAll(async () => {
      await heartbeat();
      scraper = await world.newKey(['metrics:read']);
      second = await world.anotherEdge();
    });
    const scrape = async () => {
      const answer = await read(world.edge, '/metrics', scraper);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4');
      return parseExposition(answer.text);
    };

    test('are for a key that may read them', async () => {
      expectProblem(await read(world.edge, '/metrics'), 401, 'unauthenticated');
      expectProblem(await read(world.edge, '/metrics', 'garbage'), 401, 'unauthenticated');
      const reader = await world.newKey(['payments:read', 'conflicts:decide']);
      expectProblem(await read(world.edge, '/metrics', reader), 404, 'not_found');
      await scrape();
    });

    test('are open to all where the settings say so', async () => {
      const open = await world.anotherEdge({ api: { METRICS_ACCESS: 'open' } });
      const answer = await read(open, '/metrics');
      expect(answer.status).toBe(200);
      parseExposition(answer.text);
      await open.stop();
    });

    test('add up what every isolate has counted', async () => {
      const of = (metric: string, labels: string, found: Awaited<ReturnType<typeof scrape>>) =>
        found.get(metric)?.samples.get(`${metric}{${labels}}`) ?? 0;
      const created = 'channel="partner",outcome="created"';
      const duplicate = 'channel="partner",outcome="duplicate"';
      const conflict = 'channel="partner",outcome="conflict"';
      const requests = 'route="/api/v1/payments/webhook/:channel",status="201",worker="webhooks"';
      const before = await scrape();

      const bodies = Array.from({ length: 6 }, () => aPayment());
      const edges = [world.edge, second] as const;
      await Promise.all(bodies.map((body, i) => deliver(edges[i % 2]!, body, { channel: 'partner' })));
      await Promise.all(bodies.map((body, i) => deliver(edges[(i + 1) % 2]!, body, { channel: 'partner' })));
      await deliver(second, { ...bodies[0], amount: '1.00' }, { channel: 'partner' });

      const grown = (found: typeof before) =>
        [created, duplicate, conflict].map(
          (labels) =>
            of('recoup_webhook_payments_total', labels, found) -
            of('recoup_webhook_payments_total', labels, before),
        );
      const after = await eventually(scrape, (found) => grown(found).join() === '6,6,1', 3_000);
      expect(grown(after)).toEqual([6, 6, 1]);
      expect(
        of('recoup_http_requests_total', requests, after) -
          of('recoup_http_requests_total', requests, before),
      ).toBe(6);
    });

    test('know the routes by their patterns, and nothing that callers made up', async () => {
      const token = await world.newKey(['payments:read']);
      await read(world.edge, '/made/up/path-1234', token);
      await read(world.edge, '/api/v1/payments/REF-made-up', token);
      await deliver(world.edge, {}, { unsigned: true });
      await ask(`${world.edge.urls.api}/api/v1/payments/webhook/made-up-channel`, { method: 'POST' });
      const told = async () => (await read(world.edge, '/metrics', scraper)).text;
      const text = await eventually(told, (found) => found.includes('/api/v1/payments/:reference'), 3_000);
      expect(text).toContain('route="/api/v1/payments/:reference",status="404",worker="api"');
      expect(text).not.toMatch(/made-up|1234|REF-/);
    });

    test('tell of the backlog, the outbox and the containers', async () => {
      const found = await scrape();
      const value = (name: string, labels: string) => found.get(name)?.samples.get(`${name}${labels}`);
      expect(value('recoup_up', '{part="database"}')).toBe(1);
      expect(value('recoup_up', '{part="redis"}')).toBe(1);
      expect(value('recoup_staging_backlog', '')).toBeTypeOf('number');
      expect(value('recoup_outbox_waiting', '{destination="log"}')).toBeGreaterThan(0);
      expect(value('recoup_container_healthy', '{instance="one",process="publisher"}')).toBe(1);
      expect(value('recoup_container_detail', '{instance="one",name="batches",process="publisher"}')).toBe(7);
    });

    test('are all there, with no label beyond those that rules and panels may use', async () => {
      const counts = { publish_attempts_total: 3, publish_failures_total: 0 };
      const pool = { pool_max: 4, pool_in_use: 1, pool_waiting: 0 };
      await heartbeat({ detail: { log_ok: true, batches: 7, ...counts, ...pool } });
      const totals = ['folded', 'duplicates', 'conflicts', 'buried'].map((what) => [
        `events_${what}_total`,
        5,
      ]);
      await projectorBeats(Object.fromEntries(totals));
      await deliver(world.edge, aPayment(), { channel: 'partner' });
      await deliver(world.edge, { event_type: 'user_input' }, { events: true });
      const stripe = (type: string, object: object) =>
        deliver(
          world.edge,
          {
            id: `evt_${type}`,
            object: 'event',
            type,
            created: Math.floor(Date.now() / 1000),
            data: { object },
          },
          { channel: 'stripe' },
        );
      await stripe('charge.succeeded', { id: 'ch_1' });
      await stripe('payment_intent.succeeded', { id: 'pi_1' });
      await stripe('payment_intent.payment_failed', { id: 'pi_2', amount: 1, currency: 'eur' });
      await world.db.query('analyze payment_service.payments');
      const limited = await world.anotherEdge({ api: { DATABASE_SPACE_LIMIT_MIB: '1000' } });
      const scrapeLimited = async () => parseExposition((await read(limited, '/metrics', scraper)).text);
      const all = Object.keys(about).toSorted();
      const found = await eventually(
        scrapeLimited,
        (metrics) => all.every((name) => metrics.has(name)),
        5_000,
      );
      expect([...found.keys()].toSorted()).toEqual(all);
      for (const [name, { type, samples }] of found) {
        expect(type).toBe(about[name as keyof typeof about].type);
        const labels = [...samples.keys()].flatMap((series) => [...series.matchAll(/[{,]([a-z_]+)="/g)]);
        const allowed = [
          ...about[name as keyof typeof about].labels,
          ...(type === 'histogram' ? ['le'] : []),
        ];
        expect([...new Set(labels.map(([, label]) => label))].toSorted(), name).toEqual(allowed.toSorted());
      }
      const value = (name: string, labels = '') => found.get(name)?.samples.get(name + labels);
      expect(value('recoup_pool_max', '{instance="one",process="publisher"}')).toBe(4);
      expect(value('recoup_events_folded_total', '{instance="one",process="projector"}')).toBe(5);
      expect(value('recoup_stream_waiting', '{stream="inbox:a"}')).toBe(7);
      expect(value('recoup_events_unhandled_total', '{type="noise.v1"}')).toBe(4);
      expect(value('recoup_dead_letters_waiting')).toBe(1);
      const bytes = value('recoup_database_bytes') as number;
      expect(value('recoup_space_used_ratio')).toBeCloseTo(bytes / (1_000 * 2 ** 20), 10);
      expect((await scrape()).has('recoup_space_used_ratio')).toBe(false);
      await limited.stop();
    });

    test('time verified webhooks by channel, and none that is not', async () => {
      const count = 'recoup_webhook_duration_seconds_count{channel="partner"}';
      const counted = (found: Awaited<ReturnType<typeof scrape>>) =>
        found.get('recoup_webhook_duration_seconds')?.samples.get(count) ?? 0;
      const before = counted(await scrape());
      await deliver(world.edge, aPayment(), { channel: 'partner', unsigned: true });
      await deliver(world.edge, { garbage: true }, { channel: 'partner' });
      await deliver(world.edge, aPayment(), { channel: 'partner' });
      const after = await eventually(scrape, (found) => counted(found) >= before + 2, 3_000);
      expect(counted(after)).toBe(before + 2);
    });

    test('tell what they know while a part is away', async () => {
      await world.gates.redis.goAway();
      const withoutRedis = await scrape();
      expect(withoutRedis.get('recoup_up')?.samples.get('recoup_up{part="redis"}')).toBe(0);
      expect(withoutRedis.has('recoup_staging_backlog')).toBe(true);
      await world.gates.redis.comeBack();
      await world.gates.database.goAway();
      // The key is known for a moment longer.
      const withoutDatabase = await scrape();
      expect(withoutDatabase.get('recoup_up')?.samples.get('recoup_up{part="database"}')).toBe(0);
      expect(withoutDatabase.has('recoup_http_requests_total')).toBe(true);
    });
  });

  describe('statistics', () => {
    let reader: string;
    beforeAll(async () => {
      reader = await world.newKey(['metrics:read']);
    });
    const path = '/api/v1/payments/stats';
    const stats = async (edge = world.edge) => {
      const answer = await read(edge, path, reader);
      expect(answer.status, answer.text).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      return answer.body;
    };

    test('are for a key that may read metrics', async () => {
      expectProblem(await read(world.edge, path), 401, 'unauthenticated');
      expectProblem(await read(world.edge, path, 'garbage'), 401, 'unauthenticated');
      expectProblem(await read(world.edge, path, await world.newKey(['payments:read'])), 404, 'not_found');
    });

    test('tell of staging in exactly these words', async () => {
      await world.db.query('truncate payment_service.staging_process_log, public.payment_staging');
      await world.db.query(
        `insert into public.payment_staging (reference_number, loan_account_number, cif, amount, payment_date)
         select 'WAITS-' || n, 'LN', 'CIF', 1, now() from generate_series(1, 3) as n`,
      );
      // The business day begins at another time than the database's own.
      await world.db.query(
        `insert into payment_service.staging_process_log (batch_start_id, batch_end_id, total_records, status, started_at, completed_at)
         values (1, 2, 40, 'completed', now() - interval '250 ms', now()),
                (1, 2, 2, 'completed', now() - interval '750 ms', now()),
                (1, 2, 500, 'completed', $1::timestamptz - interval '3 s', $1::timestamptz - interval '1 ms')`,
        [await midnight()],
      );
      expect(await stats()).toEqual({
        staging: { processed_today: 42, pending_count: 3, average_batch_time_ms: 500 },
        webhooks: {
          received_today: expect.any(Number),
          duplicate_rate: expect.any(Number),
          average_response_time_ms: expect.any(Number),
        },
      });
    });
    const midnight = async () => {
      const [row] = await world.db.query<{ at: string }>(
        `select (date_trunc('day', now() at time zone $1) at time zone $1)::text as at`,
        [timeZone],
      );
      return row?.at;
    };

    test('tell of the webhooks of today, and of no other day', async () => {
      const fresh = await createClient({ url: world.redisUrl }).connect();
      await fresh.del(`recoup:counts:${calendarDate(new Date(), timeZone)}`);
      await fresh.hSet(`recoup:counts:${calendarDate(new Date(Date.now() - 86_400_000), timeZone)}`, {
        'recoup_webhook_duration_seconds_count{channel="partner"}': 1_000,
      });
      expect((await stats()).webhooks).toEqual({
        received_today: 0,
        duplicate_rate: null,
        average_response_time_ms: null,
      });
      const bodies = [aPayment(), aPayment(), aPayment()];
      for (const body of [...bodies, bodies[0]!]) await deliver(world.edge, body, { channel: 'partner' });
      await deliver(world.edge, aPayment(), { unsigned: true });
      const { webhooks } = await eventually(stats, (found) => found.webhooks.received_today >= 4, 3_000);
      expect(webhooks).toEqual({
        received_today: 4,
        duplicate_rate: 0.25,
        average_response_time_ms: expect.any(Number),
      });
      expect(webhooks.average_response_time_ms).toBeGreaterThan(0);
      const ttl = await fresh.ttl(`recoup:counts:${calendarDate(new Date(), timeZone)}`);
      expect(ttl).toBeGreaterThan(2 * 86_400);
      expect(ttl).toBeLessThanOrEqual(3 * 86_400);
      await fresh.close();
    });

    test('say what is unknown while Redis is away, or while nothing is counted', async () => {
      const unknown = { received_today: null, duplicate_rate: null, average_response_time_ms: null };
      await world.gates.redis.goAway();
      const away = await stats();
      expect(away).toMatchObject({ webhooks: unknown, unavailable: ['webhooks'] });
      expect(away.staging.pending_count).toBeTypeOf('number');
      await world.gates.redis.comeBack();
      const uncounted = await world.anotherEdge({ api: { ENABLE_METRICS: 'false' } });
      expect(await stats(uncounted)).toMatchObject({ webhooks: unknown, unavailable: ['webhooks'] });
      await uncounted.stop();
    });

    test('say what is unknown while the database is away', async () => {
      await stats();
      await world.gates.database.goAway();
      // The key is known for a moment longer.
      expect(await stats()).toMatchObject({
        staging: { processed_today: null, pending_count: null, average_batch_time_ms: null },
        webhooks: { received_today: expect.any(Number) },
        unavailable: ['staging'],
      });
    });
  });

  test('a Worker whose settings are wrong refuses everything and logs every fault by name', async () => {
    const wrong = {
      CHANNELS: '{"standard":{"scheme":"private-scheme"}}',
      WEBHOOK_TIMEOUT_MS: 'private-number',
      BUSINESS_TIME_ZONE: 'Private/Zone',
      DATABASE_URL: 'private-url',
    };
    const edge = await world.anotherEdge({ webhooks: wrong, auth: { UPSTASH_REDIS_REST_TOKEN: 'private' } });
    for (const to of doors) {
      const answer = await deliver(edge, aPayment(), { to });
      expect(expectProblem(answer, 503, 'unavailable').detail).toBe('This service is not configured.');
      expect(answer.headers.get('retry-after')).toBe('60');
    }
    expectProblem(await read(edge, '/api/v1/auth/me'), 503, 'unavailable');
    expectProblem(await ask(`${edge.urls.webhooks}/health`), 503, 'unavailable');
    const { checks } = (await ask(`${edge.urls.api}/health`)).body;
    expect(checks).toMatchObject({ database: 'ok', webhooks: 'error', auth: 'error' });
    const log = await eventually(
      async () => edge.log(),
      (text) => text.includes('UPSTASH_REDIS_REST_TOKEN'),
      3_000,
    );
    const [fault] = log.split('\n').filter((line) => line.includes('"event":"settings","worker":"webhooks"'));
    for (const name of ['WEBHOOK_TIMEOUT_MS', 'BUSINESS_TIME_ZONE', 'DATABASE_URL']) {
      expect(fault).toContain(name);
    }
    expect(fault).not.toMatch(/private/i);
    await edge.stop();
  });

  test('the log tells of every request by its id, and nothing of what was in it', async () => {
    const token = await world.newKey(['payments:read', 'conflicts:decide']);
    const secrets = {
      reference_number: 'ref-PRIVATE-1',
      loan_account_number: 'loan-PRIVATE-2',
      cif: 'cif-PRIVATE-3',
      amount: '48151.62',
      payment_channel: 'PRIVATE-4',
      metadata: { 'key-PRIVATE-5': 'value-PRIVATE-6', iban: 'DE89370400440532013000' },
    };
    const body = aPayment(secrets);
    const ids: string[] = [];
    const asked = async (answer: ReturnType<typeof ask>, status: number) => {
      const { headers, text, status: got } = await answer;
      expect(got, text).toBe(status);
      ids.push(headers.get('x-request-id')!);
    };
    await asked(deliver(world.edge, body), 201);
    await asked(deliver(world.edge, body), 200);
    await asked(deliver(world.edge, { ...body, amount: '2342.08' }), 409);
    await asked(deliver(world.edge, { ...body, amount: '48151.623' }), 422);
    await asked(deliver(world.edge, `${JSON.stringify(body)}}`), 400);
    await asked(deliver(world.edge, body, { unsigned: true }), 401);
    await asked(deliver(world.edge, body, { headers: { 'user-agent': 'agent-PRIVATE-7' } }), 200);
    await asked(read(world.edge, `/api/v1/payments/${secrets.reference_number}`, token), 200);
    await asked(
      read(world.edge, `/api/v1/payments/loan/${secrets.loan_account_number}?channel=PRIVATE-4`, token),
      200,
    );
    await asked(read(world.edge, `/api/v1/payments/customer/${secrets.cif}`, token), 200);
    await asked(read(world.edge, '/api/v1/nowhere/PRIVATE-8', token), 404);
    const [conflict] = (
      await read(world.edge, `/api/v1/payment-conflicts?reference=${secrets.reference_number}`, token)
    ).body.data;
    const decision = { reason: 'reason-PRIVATE-9' };
    await asked(write(world.edge, `/api/v1/payment-conflicts/${conflict.id}/dismiss`, token, decision), 200);

    // Every way in which the database can say no, with its values in hand.
    await world.db.query(
      'alter table payment_service.payment_references add constraint test_refuses check (amount <> 48151.63)',
    );
    await asked(
      deliver(world.edge, { ...body, reference_number: 'ref-PRIVATE-10', amount: '48151.63' }),
      500,
    );
    await world.db.query('alter table payment_service.payment_references drop constraint test_refuses');
    await world.db.query('revoke select on payment_service.payments from recoup_api');
    await asked(read(world.edge, `/api/v1/payments/${secrets.reference_number}`, token), 500);
    await asked(read(world.edge, `/api/v1/payments/customer/${secrets.cif}`, token), 500);
    await world.db.query('grant select on payment_service.payments to recoup_api');
    await world.gates.database.goAway();
    await asked(deliver(world.edge, { ...body, reference_number: 'ref-PRIVATE-11' }), 503);
    await asked(read(world.edge, `/api/v1/payments/${secrets.reference_number}`, token), 503);
    await world.gates.database.comeBack();

    const log = await eventually(
      async () => world.edge.log(),
      (text) => ids.every((id) => text.includes(id)),
      3_000,
    );
    const lines = log.split('\n').filter((line) => line.startsWith('{'));
    for (const id of ids) {
      const request = lines.map((line) => JSON.parse(line)).find((line) => line.request_id === id);
      expect(request, id).toMatchObject({ at: expect.any(String), level: expect.any(String) });
    }
    expect(log).toMatch(/"event":"request".*"route":"\/api\/v1\/payments\/:reference","status":200/);
    const forbidden = [
      'PRIVATE',
      'DE89370400440532013000',
      '48151',
      '2342.08',
      token.split('_')[2]!,
      channel('standard').secret!,
      channel('standard').secret!.slice(6, 30),
    ];
    for (const text of forbidden) expect(log.includes(text) ? lineWith(log, text) : '').toBe('');
    expect(log).not.toMatch(/recoup_(webhooks|api|auth):/);
  });
});

const lineWith = (log: string, text: string) => log.split('\n').find((line) => line.includes(text));
