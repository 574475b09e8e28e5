// How a destination's queue is, cheaply enough to be asked every few seconds with a million messages waiting.

import type { Database } from '../database.ts';
import { queueState } from './store.ts';

export interface QueueState {
  /** Age of the first message; 0 when none waits. */
  oldestSeconds: number;
  /** Messages set aside that nobody has decided about. */
  undeliverable: number;
}

/** Throws DatabaseFault. */
export const readQueueState = (db: Database, destination: string): Promise<QueueState> =>
  queueState(db, destination);
