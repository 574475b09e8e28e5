// Says that an instance has ended as it should, so that nobody waits for its next heartbeat.

import type { Database } from '../database.ts';
import { removeHeartbeat } from './store.ts';

/** Throws DatabaseFault; safe to repeat. */
export const signOff = (db: Database, process: string, instance: string): Promise<void> =>
  removeHeartbeat(db, process, instance);
