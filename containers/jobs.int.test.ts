// The runner with its role's rights: a job runs once however many look after it, and whatever becomes of a run is told.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { DatabaseFault } from '../shared/database.ts';
import { createLog } from '../shared/log.ts';
import { requestJob } from '../shared/operations/request-job.ts';
import { type JobRun, readJobs } from '../shared/read/jobs.ts';
import { createTestDatabase, type TestDatabase } from '../test/database.ts';
import { openPool, type Pool } from './database.ts';
import { type Job, JobFault, runningJobs } from './jobs.ts';

let database: TestDatabase;
let owner: Pool;
const stops: Array<() => Promise<void>> = [];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 5_000 });
});
beforeEach(() => owner.query('truncate operations.job_runs'));
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

let instances = 0;
/** A runner of its own, as another process has it, that looks every few milliseconds. */
function startRunner(cleanup: Job, everySeconds = 3_600) {
  const url = database.urlFor('recoup_ingest');
  const db = openPool({ url, min: 0, max: 4, applicationName: 'runner', timeoutMs: 5_000 });
  const stop = new AbortController();
  const instance = `instance-${++instances}`;
  const runner = runningJobs({
    db,
    jobsDb: db,
    run: { cleanup },
    instance,
    signal: stop.signal,
    log: createLog('error', {}, () => {}),
    leftAloneMs: 20,
    everySeconds: () => everySeconds,
  });
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await runner.step().catch(() => {});
      await sleep(5);
    }
  })();
  let ended: Promise<void> | undefined;
  const endOnce = async () => {
    stop.abort();
    await looking;
    await runner.ended();
    await db.close();
  };
  const end = () => {
    ended ??= endOnce();
    return ended;
  };
  stops.push(end);
  return { ...runner, instance, end };
}

const runs = async (): Promise<JobRun[]> =>
  (await readJobs(owner, 50)).find((job) => job.name === 'cleanup')!.runs;
const statuses = async () => (await runs()).map(({ status }) => status);
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 10_000, interval: 10 });
const ask = () => requestJob(owner, { job: 'cleanup', actor: 'test' });

test('a job that has never run runs at once, and then waits for its time', async () => {
  const runner = startRunner(async () => ({ swept: 3 }));
  await eventually(statuses).toEqual(['succeeded']);
  await sleep(100);
  expect(await runs()).toMatchObject([
    { status: 'succeeded', detail: { swept: 3 }, error: null, requestedBy: null, instance: runner.instance },
  ]);
});

test('of any number of runners one runs the job, however short its interval', async () => {
  let running = 0;
  let most = 0;
  let done = 0;
  const job: Job = async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(15);
    running -= 1;
    done += 1;
    return {};
  };
  const runners = [startRunner(job, 0), startRunner(job, 0), startRunner(job, 0)];
  await eventually(() => done).toBeGreaterThan(12);
  await Promise.all(runners.map((runner) => runner.end()));
  expect(most).toBe(1);
  expect(await runs()).toHaveLength(done);
});

test('two runners that start together run a job that is due once', async () => {
  let done = 0;
  const job: Job = async () => ({ nth: ++done });
  startRunner(job);
  startRunner(job);
  await eventually(() => done).toBe(1);
  await sleep(150);
  expect(done).toBe(1);
});

test('requests that are made while one waits are the same one, and one run serves them', async () => {
  const [first, ...others] = await Promise.all(Array.from({ length: 8 }, ask));
  expect(new Set(others.map(({ runId }) => runId))).toEqual(new Set([first?.runId]));
  let done = 0;
  startRunner(async () => ({ nth: ++done }));
  await eventually(statuses).toEqual(['succeeded']);
  expect(await runs()).toMatchObject([{ id: first?.runId, requestedBy: 'test', detail: { nth: 1 } }]);
  const later = await ask();
  expect(later.runId).not.toBe(first?.runId);
  await eventually(statuses).toEqual(['succeeded', 'succeeded']);
});

test('a request that is made during a run is served by a run that begins after it', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  let begun = 0;
  startRunner(async () => {
    begun += 1;
    if (begun === 1) await held;
    return {};
  });
  await eventually(() => begun).toBe(1);
  await ask();
  await sleep(50);
  expect(await statuses()).toEqual(['requested', 'running']);
  release();
  await eventually(statuses).toEqual(['succeeded', 'succeeded']);
});

test('progress can be seen while the job runs', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  startRunner(async ({ progress }) => {
    await progress({ rows: 10 });
    await held;
    return { rows: 20 };
  });
  await eventually(runs).toMatchObject([{ status: 'running', detail: { rows: 10 } }]);
  release();
  await eventually(runs).toMatchObject([{ status: 'succeeded', detail: { rows: 20 } }]);
});

const failures: [string, () => Error, string][] = [
  ['a reason of its own', () => new JobFault('the folder is full'), 'the folder is full'],
  [
    'what the database said',
    () => new DatabaseFault('key (12) exists', { sqlState: '23505', cause: 0 }),
    'the database answered SQLSTATE 23505',
  ],
  [
    'what the system said',
    () => Object.assign(new Error("ENOSPC: '/secret'"), { code: 'ENOSPC' }),
    'the system answered ENOSPC',
  ],
  [
    'nothing more of a bug',
    () => new TypeError('secret is not a function'),
    'an error in the job; the log of its process has it',
  ],
];
test.each(failures)('a failed run tells %s, and is tried again at its time', async (_, fault, error) => {
  let tries = 0;
  const runner = startRunner(async ({ progress }) => {
    await progress({ rows: 5 });
    if (++tries === 1) throw fault();
    return {};
  });
  await eventually(runs).toMatchObject([{ status: 'failed', error, detail: { rows: 5 } }]);
  await sleep(50);
  expect(tries).toBe(1);
  await owner.query(`update operations.job_runs set started_at = started_at - interval '1 hour'`);
  await eventually(statuses).toEqual(['succeeded', 'failed']);
  expect(runner.heartbeat({ condition: 'running', failures: 0 })).toMatchObject({ healthy: true });
});

test('a process that starts tries again at once what failed last', async () => {
  const first = startRunner(async () => {
    throw new JobFault('the folder is full');
  });
  await eventually(statuses).toEqual(['failed']);
  await first.end();
  startRunner(async () => ({}));
  await eventually(statuses).toEqual(['succeeded', 'failed']);
});

test('a run that its process had to leave is abandoned, and made up for by the next one', async () => {
  const first = startRunner(async ({ signal }) => {
    for (;;) {
      signal.throwIfAborted();
      await sleep(5);
    }
  });
  await eventually(statuses).toEqual(['running']);
  await first.end();
  expect(await runs()).toMatchObject([{ status: 'abandoned', error: 'its process had to stop' }]);
  startRunner(async () => ({}));
  await eventually(statuses).toEqual(['succeeded', 'abandoned']);
});

test('a job that kills its process again and again waits for its time', async () => {
  await owner.query(
    `insert into operations.job_runs (job, status, started_at, finished_at, instance, error)
     select 'cleanup', 'abandoned', now() - make_interval(mins => n), now(), 'x', 'x' from generate_series(1, 3) as n`,
  );
  startRunner(async () => ({}));
  await sleep(150);
  expect(await statuses()).toEqual(['abandoned', 'abandoned', 'abandoned']);
  await ask();
  await eventually(statuses).toEqual(['succeeded', 'abandoned', 'abandoned', 'abandoned']);
});

test('a job whose lock is lost stops, another takes over, and neither overwrites the other', async () => {
  const { promise: told, resolve: tell } = Promise.withResolvers<void>();
  let begun = 0;
  const job: Job = async ({ signal }) => {
    if (++begun > 1) return {};
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    tell();
    throw signal.reason;
  };
  startRunner(job);
  await eventually(statuses).toEqual(['running']);
  await owner.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
     where datname = current_database() and application_name = 'runner-lock'`,
  );
  await told;
  await eventually(statuses).toEqual(['succeeded', 'abandoned']);
});

test('while a job runs no transaction is open', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  startRunner(async () => {
    await held;
    return {};
  });
  await eventually(statuses).toEqual(['running']);
  const open = await owner.query(
    `select from pg_stat_activity where datname = current_database() and usename = 'recoup_ingest' and state like 'idle in transaction%'`,
  );
  release();
  expect(open).toEqual([]);
});

test('a database that goes away in the middle of a run ends nothing but the run', async () => {
  let begun = 0;
  startRunner(async ({ db }) => {
    if (++begun === 1) await db.query('select pg_sleep(30)');
    return {};
  });
  await eventually(statuses).toEqual(['running']);
  await owner.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity
     where datname = current_database() and usename = 'recoup_ingest'`,
  );
  // Whichever the process hears of first: the statement that broke, or the lock.
  await eventually(async () => (await statuses()).at(-1)).toMatch(/failed|abandoned/);
  await ask();
  await eventually(async () => (await statuses())[0]).toBe('succeeded');
});
