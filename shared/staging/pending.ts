// How far a backlog reaches, and whether any of it is left.

import type { Database } from '../database.ts';
import { hasPending, lastPending } from './store.ts';

/** Identifies the backlog of this moment; undefined when there is none. Rows that are committed later are not in it. */
export const backlogOf = (db: Database): Promise<string | undefined> => lastPending(db);

/** Whether rows of that backlog still wait, or are being worked on by anybody. */
export const isBacklogLeft = (db: Database, backlog: string): Promise<boolean> => hasPending(db, backlog);
