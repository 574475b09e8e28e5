// Notes that a caller has been here, so that a session in use does not count as idle and unused keys are known. Done
// after the answer, and written once a minute at most.

import type { Database } from '../database.ts';
import type { Caller } from './caller.ts';
import { touchKey, touchSession } from './store.ts';

export const touch = (db: Database, caller: Caller): Promise<void> =>
  caller.kind === 'user' ? touchSession(db, caller.session.id) : touchKey(db, caller.prefix);
