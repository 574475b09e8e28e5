// The job `figures`: what screens show at once and what would take too long to count for each of them.

import { countDue } from '../../shared/servicing/count-due.ts';
import type { Job } from '../jobs.ts';

export const figures =
  (): Job =>
  async ({ db, now }) => ({ due_sums: await countDue(db, now) });
