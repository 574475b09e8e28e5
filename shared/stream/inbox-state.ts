// How many events wait in the inbox, how many are on loan, and how long the oldest of those has been there.

import type { Database } from '../database.ts';
import { type InboxState, selectInboxState } from './store.ts';

export const readInboxState = (db: Database): Promise<InboxState> => selectInboxState(db);
