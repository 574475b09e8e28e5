// Jobs: what containers do now and then, how it went, and asking for a run. Running them is the containers' part.

import { Hono } from 'hono';
import { isJobName } from '../../shared/operations/job.ts';
import { requestJob } from '../../shared/operations/request-job.ts';
import { readJobs } from '../../shared/read/jobs.ts';
import { refuse, type Scope } from '../app.ts';
import { actorOf, askedDatabase, type createCallerCheck } from '../caller.ts';
import { openDatabase } from '../database.ts';
import type { ApiSettings } from './env.ts';

const runsShown = 5;

export function jobRoutes(callerCheck: ReturnType<typeof createCallerCheck<ApiSettings>>) {
  const routes = new Hono<Scope<ApiSettings>>();

  routes.get('/', callerCheck('jobs:read'), async (c) =>
    c.json({ data: await readJobs(openDatabase(c.get('settings').database), runsShown), next: null }),
  );

  routes.post('/:job/run', callerCheck('jobs:run'), async (c) => {
    const job = c.req.param('job');
    if (!isJobName(job)) return refuse(c, 'not_found');
    return c.json(await requestJob(askedDatabase(c), { job, actor: actorOf(c.get('caller')) }), 202);
  });
  return routes;
}
