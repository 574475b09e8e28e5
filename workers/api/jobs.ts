// Jobs: what containers do now and then, how it went, and asking for a run. Running them is the containers' part.

import { Hono } from 'hono';
import * as z from 'zod/mini';
import { type JobName, jobNames } from '../../shared/operations/job.ts';
import { requestJob } from '../../shared/operations/request-job.ts';
import { readJobs } from '../../shared/read/jobs.ts';
import type { Scope } from '../app.ts';
import { actorOf, askedDatabase } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';
import { route } from './route.ts';
import { job } from './shapes/operations.ts';
import { uuid } from './shapes/values.ts';

const runsShown = 5;

export const requestedRun = z.object({ runId: uuid });

export const jobRoutes = new Hono<Scope<ApiSettings>>()
  .get(
    ...route(
      '/',
      {
        permission: 'jobs:read',
        summary: 'Every job with its last five runs',
        description: 'A run that waits comes first, then the latest.',
        tag: 'Jobs',
        answers: { 200: z.object({ data: z.array(job), next: z.null() }) },
      },
      async (c) =>
        c.json({ data: await readJobs(openDatabase(c.get('settings').database), runsShown), next: null }),
    ),
  )
  .post(
    ...route(
      '/:job/run',
      {
        permission: 'jobs:run',
        summary: 'Asks for a run of a job',
        description: 'It needs no body. While that run waits, asking again answers the same one.',
        tag: 'Jobs',
        params: z.object({ job: z.enum(jobNames) }),
        answers: { 202: requestedRun },
      },
      async (c) => {
        const job = c.req.param('job') as JobName;
        return c.json(await requestJob(askedDatabase(c), { job, actor: actorOf(c.get('caller')) }), 202);
      },
    ),
  );
