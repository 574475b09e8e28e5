// Jobs through the API: who may see them, who may ask for one, and that asking twice is asking once.

import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { jobNames, jobs } from '../../shared/operations/job.ts';
import { ask, expectProblem, read, write } from './asking.ts';
import { oneRuntime } from './runtimes.ts';
import { useWorld } from './world.ts';

describe.each(oneRuntime)('on %s', (runtime) => {
  const world = useWorld(runtime);
  let reader: string;
  let runner: string;
  beforeAll(async () => {
    reader = await world.newKey(['jobs:read']);
    runner = await world.newKey(['jobs:run']);
  });
  beforeEach(() => world.db.query('truncate operations.job_runs'));

  const runsOf = async (name: string) =>
    (await read(world.edge, '/api/v1/jobs', reader)).body.data.find(
      (job: { name: string }) => job.name === name,
    ).runs;

  test('every job is listed with its latest runs, the waiting one first', async () => {
    await world.db.query(
      `insert into operations.job_runs (job, status, started_at, finished_at, instance, detail)
       select 'cleanup', 'succeeded', now() - make_interval(mins => n), now(), 'one', jsonb_build_object('nth', n)
       from generate_series(1, 7) as n`,
    );
    await world.db.query(
      `insert into operations.job_runs (job, status, started_at, finished_at, instance, error)
       values ('retention', 'failed', '2026-11-01T10:00:00Z', '2026-11-01T10:00:01.5Z', 'one', 'the system answered ENOSPC')`,
    );
    await write(world.edge, '/api/v1/jobs/cleanup/run', runner, {});
    const { status, body } = await read(world.edge, '/api/v1/jobs', reader);
    expect(status).toBe(200);
    expect(body.next).toBeNull();
    expect(body.data.map(({ runs, ...job }: { runs: unknown[] }) => job)).toEqual(
      jobNames.map((name) => ({ name, ...jobs[name] })),
    );
    const runs = await runsOf('cleanup');
    expect(runs).toHaveLength(5);
    expect(runs[0]).toMatchObject({ status: 'requested', startedAt: null, detail: {} });
    expect(runs.slice(1).map(({ detail }: { detail: { nth: number } }) => detail.nth)).toEqual([1, 2, 3, 4]);
    expect(await runsOf('partitions')).toEqual([]);
    expect(await runsOf('retention')).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        status: 'failed',
        requestedBy: null,
        requestedAt: null,
        startedAt: '2026-11-01T10:00:00.000Z',
        finishedAt: '2026-11-01T10:00:01.500Z',
        instance: 'one',
        detail: {},
        error: 'the system answered ENOSPC',
      },
    ]);
  });

  test('staging can be asked for under its own path, which is the same request', async () => {
    const path = '/api/v1/payments/staging/run';
    const [own, byName] = [
      await write(world.edge, path, runner, {}),
      await write(world.edge, '/api/v1/jobs/staging/run', runner, {}),
    ];
    expect([own.status, byName.status]).toEqual([202, 202]);
    expect(byName.body).toEqual(own.body);
    expect(await runsOf('staging')).toMatchObject([{ id: own.body.runId, status: 'requested' }]);
    expectProblem(await write(world.edge, path, reader, {}), 404, 'not_found');
    expectProblem(await ask(`${world.edge.urls.api}${path}`, { method: 'POST' }), 401, 'unauthenticated');
  });

  test('asking for a run is answered 202 with its id; while it waits, asking again answers the same one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => write(world.edge, '/api/v1/jobs/retention/run', runner, {})),
    );
    for (const { status } of answers) expect(status).toBe(202);
    expect(new Set(answers.map(({ body }) => body.runId)).size).toBe(1);
    const [run, ...others] = await runsOf('retention');
    expect(others).toEqual([]);
    expect(run).toMatchObject({ id: answers[0]!.body.runId, status: 'requested' });
    expect(run.requestedBy).toBe(`key:${runner.split('_')[1]}`);
    await world.db.query(
      `update operations.job_runs set status = 'running', started_at = now(), instance = 'one'`,
    );
    const later = await write(world.edge, '/api/v1/jobs/retention/run', runner, {});
    expect([later.status, later.body.runId === run.id]).toEqual([202, false]);
  });

  test('a run can be asked for without a body', async () => {
    const answer = await ask(`${world.edge.urls.api}/api/v1/jobs/cleanup/run`, {
      method: 'POST',
      headers: { authorization: `Bearer ${runner}` },
    });
    expect(answer.status).toBe(202);
  });

  test('a job that does not exist is not found', async () => {
    for (const name of ['no-such-job', 'toString', '__proto__'])
      expectProblem(await write(world.edge, `/api/v1/jobs/${name}/run`, runner, {}), 404, 'not_found');
  });

  test('who may not read sees nothing, and who may only read cannot run', async () => {
    const path = '/api/v1/jobs/cleanup/run';
    expectProblem(await read(world.edge, '/api/v1/jobs'), 401, 'unauthenticated');
    expectProblem(await read(world.edge, '/api/v1/jobs', runner), 404, 'not_found');
    expectProblem(await write(world.edge, path, 'garbage', {}), 401, 'unauthenticated');
    expectProblem(await write(world.edge, path, reader, {}), 404, 'not_found');
    expect(await runsOf('cleanup')).toEqual([]);
  });
});
