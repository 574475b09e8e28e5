// Posting: takes recorded payments and their reversals to the ledger, for as long as it lives. Any number may run; one
// works, the others stand by. SIGTERM: finishes the batch in progress.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
