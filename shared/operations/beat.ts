// Writes a process's heartbeat and forgets instances that were silent for an hour, a bounded number at a time.

import type { Database } from '../database.ts';
import type { Heartbeat } from './heartbeat.ts';
import { removeOldHeartbeats, saveHeartbeat } from './store.ts';

const removedAtOnce = 100;

/** Throws DatabaseFault; safe to repeat. */
export async function beat(db: Database, heartbeat: Heartbeat): Promise<void> {
  await saveHeartbeat(db, heartbeat);
  await removeOldHeartbeats(db, removedAtOnce);
}
