// The reference ledger's container: double entry on a database of its own, behind the contract of proto/. Opens loans as
// servicing events tell, tells what it has posted, closes the days. More than one is safe. SIGTERM: answers what it has
// been asked.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
