// The job `approvals`: requests for a second person end when nobody has decided in time.

import { endRequests } from '../../shared/approvals/end-requests.ts';
import type { Job } from '../jobs.ts';

const atOnce = 500;

export const approvals =
  (): Job =>
  async ({ db, signal, progress }) => {
    let ended = 0;
    for (let round = atOnce; round === atOnce; ) {
      signal.throwIfAborted();
      round = await endRequests(db, atOnce);
      ended += round;
      await progress({ ended });
    }
    return { ended };
  };
