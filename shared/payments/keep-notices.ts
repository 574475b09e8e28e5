// Keeps notices until the provider's API has been asked. One round trip for the batch, all of it or nothing.

import type { Database } from '../database.ts';
import type { NewNotice } from './notice.ts';
import { saveNotices } from './store.ts';

/** Answers in the order given. Throws DatabaseFault; safe to repeat. */
export const keepNotices = (
  db: Database,
  notices: readonly NewNotice[],
): Promise<Array<'kept' | 'duplicate'>> => saveNotices(db, notices);
