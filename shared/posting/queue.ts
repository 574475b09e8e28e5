// How many postings wait for the ledger or are held, cheaply enough to be asked every few seconds.

import type { Database } from '../database.ts';
import { type PostingQueue, postingQueue } from './store.ts';

export type { PostingQueue };

/** Throws DatabaseFault. */
export const readPostingQueue = (db: Database): Promise<PostingQueue> => postingQueue(db);
