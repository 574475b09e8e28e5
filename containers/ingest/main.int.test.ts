// Ingest as it is deployed: a process of its own, with its own role's rights.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { jobNames, jobs } from '../../shared/operations/job.ts';
import { readJobs } from '../../shared/read/jobs.ts';
import { createTestDatabase, type TestDatabase } from '../../test/database.ts';
import { openPool, type Pool } from '../database.ts';
import { type ContainerProcess, spawnContainer } from '../testing.ts';

// Each test starts processes, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
let owner: Pool;
const processes: ContainerProcess[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  owner = openPool({ url: database.url, min: 0, max: 4, applicationName: 'test', timeoutMs: 5_000 });
});
beforeEach(() => owner.query('truncate operations.job_runs, operations.heartbeats'));
afterEach(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await Promise.all(processes.splice(0).map(({ exited }) => exited));
});
afterAll(async () => {
  await owner.close();
  await database.drop();
});

function ingest(env: Record<string, string> = {}): ContainerProcess {
  const started = spawnContainer('ingest', {
    DATABASE_URL: database.urlFor('recoup_ingest'),
    HEARTBEAT_SECONDS: '1',
    ...env,
  });
  processes.push(started);
  return started;
}

const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 60_000, interval: 50 });
const latest = async () =>
  Object.fromEntries(
    (await readJobs(owner, 5)).map(({ name, runs }) => [name, runs.map((run) => run.status)]),
  );
const heartbeat = async () =>
  (
    await owner.query<{ healthy: boolean; detail: object }>(
      `select healthy, detail from operations.heartbeats where process = 'ingest'`,
    )
  )[0];
const started = expect.objectContaining({ event: 'ingest_started' });
const stop = async (one: ContainerProcess) => {
  await eventually(() => one.lines).toContainEqual(started);
  one.child.kill('SIGTERM');
  return one.exited;
};

/** Cleanup waits in its middle for as long as this transaction lasts. */
async function withCleanupHeld(work: () => Promise<void>): Promise<void> {
  await owner.transaction(async (tx) => {
    await tx.query('lock table payment_service.staging_process_log in access exclusive mode');
    await work();
  });
}

/** Those that nobody has to ask for. */
const byThemselves = jobNames.filter((name) => jobs[name].everySeconds !== null);

test('it runs every job that is due by itself, tells of them in its heartbeat, and signs off on SIGTERM', async () => {
  const process = ingest();
  await eventually(latest).toEqual({
    staging: [],
    ...Object.fromEntries(byThemselves.map((name) => [name, ['succeeded']])),
  });
  await eventually(heartbeat).toMatchObject({
    healthy: true,
    detail: {
      jobs_condition: 'running',
      ...Object.fromEntries(
        byThemselves.flatMap((name) => [
          [`${name}_status`, 'succeeded'],
          [`${name}_age_seconds`, expect.any(Number)],
        ]),
      ),
    },
  });
  expect(await stop(process)).toEqual({ code: 0, signal: null });
  expect(await heartbeat()).toBeUndefined();
  expect(process.errors()).toBe('');
});

test('killed in the middle of a job it leaves an abandoned run, and the next one runs the job again', async () => {
  await withCleanupHeld(async () => {
    const killed = ingest();
    await eventually(async () => (await latest()).cleanup).toEqual(['running']);
    killed.child.kill('SIGKILL');
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect((await latest()).cleanup).toEqual(['running']);
  });
  ingest();
  await eventually(async () => (await latest()).cleanup).toEqual(['succeeded', 'abandoned']);
});

test('a second process leaves a job alone that the first one runs', async () => {
  const first = ingest();
  await eventually(async () => (await latest()).cleanup).toEqual(['succeeded']);
  await withCleanupHeld(async () => {
    await owner.query(`update operations.job_runs set started_at = started_at - interval '1 day'`);
    await eventually(async () => (await latest()).cleanup).toEqual(['running', 'succeeded']);
    const second = ingest();
    await eventually(heartbeat).toMatchObject({ detail: { cleanup_status: 'running' } });
    await eventually(() => second.lines).toContainEqual(started);
    expect((await latest()).cleanup).toEqual(['running', 'succeeded']);
  });
  await eventually(async () => (await latest()).cleanup).toEqual(['succeeded', 'succeeded']);
  expect(await stop(first)).toEqual({ code: 0, signal: null });
});

test('settings that do not parse end it with code 1 and a readable list', async () => {
  const process = ingest({ DATABASE_URL: '', DB_POOL_MIN: '9' });
  expect(await process.exited).toEqual({ code: 1, signal: null });
  expect(process.errors()).toBe(
    [
      'ingest cannot start, its settings need attention:',
      '  DATABASE_URL: is missing: the database',
      '  DB_POOL_MIN: is more than DB_POOL_MAX\n',
    ].join('\n'),
  );
});

/** The command as a person runs it. */
const command = (...args: string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const script = join(import.meta.dirname, '../../dev/job.ts');
    const env = { ...process.env, DATABASE_URL: database.url };
    execFile(process.execPath, [script, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

test('the command runs a job and shows how it goes; without a name it lists them', async () => {
  ingest();
  await eventually(async () => (await latest()).cleanup).toEqual(['succeeded']);
  const { code, stdout } = await command('cleanup');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^cleanup: (requested|running|succeeded)/);
  expect(stdout).toMatch(/cleanup: succeeded {2}notices=0 job_runs=0( [a-z_]+=0)+\n$/);
  expect((await latest()).cleanup).toEqual(['succeeded', 'succeeded']);
  const { stdout: list } = await command();
  for (const name of jobNames) expect(list).toContain(`${name}: `);
  expect(list).toMatch(/succeeded {2}notices=0 job_runs=0/);
  expect(await command('no-such-job')).toMatchObject({ code: 1, stderr: expect.stringContaining('Usage:') });
});
