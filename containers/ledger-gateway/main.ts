// The gateway to the ledger: HTTP and JSON in, because a Worker speaks no gRPC, gRPC out. It keeps nothing, so any number
// may run. SIGTERM: ends streams, answers what it has been asked.

import { live } from '../live.ts';

await live(() => import('./run.ts'));
