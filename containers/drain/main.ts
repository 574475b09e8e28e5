// The drain: takes what was accepted while the database was away from its stream into the database, for as long as it
// lives. Any number may run and share the work. SIGTERM: finishes the batch in progress.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
